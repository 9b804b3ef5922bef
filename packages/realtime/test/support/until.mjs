/** Waiting for what happens, without sleeping longer than needed. */

/** Resolves when `condition` holds; fails with `what` after `ms`. */
export async function until(what, condition, ms = 10_000) {
  const end = performance.now() + ms;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`not within ${ms} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
