/**
 * Publishing with an ack: how many a second, one at a time and many in flight, to a server that keeps messages in
 * memory, so that it is not the disk that is measured. Our client queues, stores and numbers each; the official one
 * only sends.
 */
import { CONTENDERS, OFFICIAL } from "./contenders.mjs";
import { Cost } from "./cost.mjs";
import { goal, middle, number, ratio, rounds, row, title } from "./figures.mjs";
import { Scope } from "./scope.mjs";

const MEASURE_MS = 1_000 * number("BMT_BENCH_SECONDS", 5);
const WARM_UP_MS = 1_000;
const IN_FLIGHT = [1, 100];
const BYTES = 180;
/** The least of the official client's throughput. */
const LEAST = 0.9;

export async function publish(world, count) {
  for (const inFlight of IN_FLIGHT) {
    title(`publishing with an ack, ${inFlight} in flight, payloads of ${BYTES} B`);
    const measured = await rounds(count, CONTENDERS, (name, n) => measure(world, name, inFlight, n));
    row("", "acks/s", "µs of CPU", "main thread");
    for (const name of CONTENDERS) {
      const of = (figure) => middle(measured, name, (one) => one[figure]);
      row(name, of("perSecond").toFixed(0), of("process").toFixed(0), of("main").toFixed(0));
    }
    for (const name of CONTENDERS.filter((name) => name !== OFFICIAL)) {
      const share = ratio(measured, name, OFFICIAL, (one) => one.perSecond);
      goal(`${name}: ≥ ${LEAST} × ${OFFICIAL}'s throughput: ${share.toFixed(2)}`, share >= LEAST);
    }
  }
}

function measure({ server, site }, name, inFlight, n) {
  return Scope.around(async (scope) => {
    const page = await site.page(scope);
    const cost = await Cost.of(page);
    const topic = `public:publish-${name.replace(/\W/g, "")}-${inFlight}-${n}`;
    await page.evaluate(open, [name, server.url, server.token({ sub: name })]);
    await page.evaluate(keepPublishing, [topic, BYTES, inFlight, WARM_UP_MS]);
    return cost.profiled(`publish-${name}-${inFlight}-${n}`, async () => {
      let acked;
      const cpu = await cost.during(async () => {
        acked = await page.evaluate(keepPublishing, [topic, BYTES, inFlight, MEASURE_MS]);
      });
      const each = (seconds) => (seconds * 1e6) / acked.count;
      return { perSecond: acked.count / acked.seconds, main: each(cpu.main), process: each(cpu.process) };
    });
  });
}

/** In the page. */
async function open([name, url, token]) {
  const { connect } = await import(`/${name}/main.js`);
  window.client = await connect(url, token);
}

/** In the page: keeps so many publishes waiting for their acks. */
async function keepPublishing([topic, bytes, inFlight, ms]) {
  const began = performance.now();
  const text = "x".repeat(bytes - JSON.stringify({ text: "" }).length);
  let count = 0;
  const publish = async () => {
    while (performance.now() - began < ms) {
      await window.client.publish(topic, { text });
      count++;
    }
  };
  await Promise.all(Array.from({ length: inFlight }, publish));
  return { count, seconds: (performance.now() - began) / 1_000 };
}
