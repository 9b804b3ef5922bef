/** Rounds, medians, and goals that are met or missed. */

/** A number from the environment, else the usual one. */
export const number = (variable, usual) => Number(process.env[variable] ?? usual);

export function median(figures) {
  const sorted = [...figures].sort((one, other) => one - other);
  return sorted[Math.floor(sorted.length / 2)] ?? NaN;
}

/**
 * Measures every contender once a round, each round in the other direction, because a machine that others use too
 * compares only within the same minute. Answers with a map of figures by contender for each round.
 */
export async function rounds(count, contenders, measure) {
  const measured = [];
  for (let n = 0; n < count; n++) {
    const round = new Map();
    for (const name of n % 2 ? [...contenders].reverse() : contenders) round.set(name, await measure(name, n));
    measured.push(round);
  }
  return measured;
}

/** The middle one of a figure's values in all rounds. */
export const middle = (rounds, name, figure) => median(rounds.map((round) => figure(round.get(name))));

/** The middle one of the ratios within each round. */
export const ratio = (rounds, one, other, figure) =>
  median(rounds.map((round) => figure(round.get(one)) / figure(round.get(other))));

/** One line of a table. */
export function row(name, ...cells) {
  console.log(name.padEnd(28) + cells.map((cell) => String(cell).padStart(13)).join(""));
}

export const title = (text) => console.log(`\n${text}`);

let missed = 0;

/** Says whether a goal is met; the command goes on, and fails at its end only over what {@link demand} holds. */
export function goal(what, isMet) {
  if (!isMet) missed++;
  console.log(`  goal: ${what}: ${isMet ? "met" : "MISSED"}`);
}

let broken = 0;

/** Says whether a promise is kept; a broken one fails the command. */
export function demand(what, isKept) {
  if (!isKept) broken++;
  console.log(`  demanded: ${what}: ${isKept ? "kept" : "BROKEN"}`);
}

/** The sum of it; answers with the exit code. */
export function conclude() {
  console.log(`\n${missed} goals missed, ${broken} promises broken`);
  return broken ? 1 : 0;
}
