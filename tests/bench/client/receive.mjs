/**
 * Receiving: what a message costs the page's process, and whether memory stays where it was.
 *
 * Messages come at an even pace that every client keeps up with, the same for all, so that each has the same number of
 * wake-ups to pay and none is measured while it falls behind. The cost is CPU time and not a rate: whatever else runs
 * on the machine makes a run longer, and not the page's own time.
 */
import { CONTENDERS, OFFICIAL } from "./contenders.mjs";
import { Cost } from "./cost.mjs";
import { goal, middle, number, ratio, rounds, row, title } from "./figures.mjs";
import { Scope } from "./scope.mjs";
import { Source } from "./source.mjs";

const TOPIC = "public:receive";
const SIZES = [180, 2_048];
const MESSAGES = number("BMT_BENCH_MESSAGES", 100_000);
const PER_SECOND = number("BMT_BENCH_PER_SECOND", 5_000);
/** Until then code is compiled and windows of ids are filled. */
const WARM_UP = 5_000;
const QUARTERS = 4;
/** How much CPU time of the official client's is allowed. */
const MOST = 1.3;
/** Growth of the JavaScript heap over all messages that counts as flat: half a byte each would be seen. */
const FLAT_BYTES = 64 * 1_024;
/** How long a quarter may take beyond its pace before it counts as lost, ms. */
const PATIENCE_MS = 60_000;

export async function receive(world, count) {
  for (const bytes of SIZES) {
    title(`receiving ${MESSAGES} messages of ${bytes} B, ${PER_SECOND}/s: µs of CPU each, MiB after a collection`);
    const measured = await rounds(count, CONTENDERS, (name, n) => measure(world, name, bytes, `${bytes}-${n}`));
    row("", "main thread", "process", "JS first", "JS last", "wasm first", "wasm last");
    for (const name of CONTENDERS) {
      const of = (figure) => middle(measured, name, figure);
      const memories = ["js", "wasm"].flatMap((kind) => [0, -1].map((at) => mib(of((one) => one.memory.at(at)[kind]))));
      row(name, of((one) => one.main).toFixed(2), of((one) => one.process).toFixed(2), ...memories);
    }
    for (const name of CONTENDERS.filter((name) => name !== OFFICIAL)) judge(measured, name);
  }
}

function judge(measured, name) {
  const [main, whole] = ["main", "process"].map((figure) => ratio(measured, name, OFFICIAL, (one) => one[figure]));
  const told = `${main.toFixed(2)} on the main thread, ${whole.toFixed(2)} of the process`;
  goal(`${name}: CPU ≤ ${MOST} × ${OFFICIAL}'s: ${told}`, Math.max(main, whole) <= MOST);
  const growth = (kind) => middle(measured, name, ({ memory }) => memory.at(-1)[kind] - memory[0][kind]);
  const grown = `${growth("js")} B of JavaScript, ${growth("wasm")} B of WebAssembly`;
  goal(`${name}: memory is flat: ${grown}`, growth("js") <= FLAT_BYTES && growth("wasm") <= 0);
  const wrong = measured.reduce((sum, round) => sum + round.get(name).wrong, 0);
  goal(`${name}: every message once and in order`, wrong === 0);
}

const mib = (bytes) => (bytes / 1_024 / 1_024).toFixed(2);

/** CPU µs for each message, and memory before the first and after each quarter. */
function measure({ server, site }, name, bytes, id) {
  return Scope.around(async (scope) => {
    const topic = `${TOPIC}-${name.replace(/\W/g, "")}-${id}`;
    const source = await Source.open(scope, server);
    const page = await site.page(scope);
    const cost = await Cost.of(page);
    await page.evaluate(listen, [name, server.url, server.token(), topic]);
    let first = 1;
    const send = async (count) => {
      const sending = source.send(topic, { first, count, bytes, perSecond: PER_SECOND });
      first += count;
      await Promise.all([sending, page.evaluate(received, [first - 1, PATIENCE_MS + (count / PER_SECOND) * 1_000])]);
    };
    await send(WARM_UP);
    const memory = [await cost.memory()];
    const cpu = { main: 0, process: 0 };
    const each = MESSAGES / QUARTERS;
    await cost.profiled(`receive-${name}-${id}`, async () => {
      for (let quarter = 0; quarter < QUARTERS; quarter++) {
        const { main, process } = await cost.during(() => send(each));
        cpu.main += main;
        cpu.process += process;
        memory.push(await cost.memory());
      }
    });
    const { wrong } = await page.evaluate("got");
    return { main: (cpu.main * 1e6) / MESSAGES, process: (cpu.process * 1e6) / MESSAGES, memory, wrong };
  });
}

/** In the page: counts what comes, and what comes out of order. */
async function listen([name, url, token, topic]) {
  const got = { last: 0, wrong: 0, wanted: Infinity };
  window.got = got;
  const { connect } = await import(`/${name}/main.js`);
  const client = await connect(url, token);
  await client.subscribe(topic, ({ n }) => {
    if (n !== got.last + 1) got.wrong++;
    got.last = n;
    if (n >= got.wanted) window.done();
  });
}

/** In the page: resolves when the message `wanted` is there, without a look at it in between. */
function received([wanted, patience]) {
  return new Promise((resolve, reject) => {
    const { got } = window;
    const late = setTimeout(() => reject(new Error(`only ${got.last} of ${wanted} messages came`)), patience);
    window.done = () => {
      clearTimeout(late);
      resolve();
    };
    got.wanted = wanted;
    if (got.last >= wanted) window.done();
  });
}
