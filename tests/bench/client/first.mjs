/** How long a page that knows nothing waits for its first message: from `import` on, with nothing cached. */
import { CONTENDERS } from "./contenders.mjs";
import { Cost } from "./cost.mjs";
import { middle, number, rounds, row, title } from "./figures.mjs";
import { Scope } from "./scope.mjs";
import { Source } from "./source.mjs";

const TOPIC = "public:first";
/** A message is never far away. */
const PER_SECOND = 200;
const ONCE_A_ROUND = 3;

/** As the presets of Chromium's developer tools. */
const FAST_4G = { download: 1_012_500, upload: 168_750, latency: 165 };
const SLOW_4G = { download: 180_000, upload: 84_375, latency: 562.5 };
const CONDITIONS = [
  { about: "this machine", cpu: 1 },
  { about: "CPU 4 × slower", cpu: 4 },
  { about: "fast 4G", cpu: 1, network: FAST_4G },
  { about: "fast 4G, CPU 4 × slower", cpu: 4, network: FAST_4G },
  { about: "slow 4G (once: fast 3G)", cpu: 1, network: SLOW_4G },
  { about: "slow 4G, CPU 4 × slower", cpu: 4, network: SLOW_4G },
];

export async function first(world, count) {
  title("cold page, ms from `import` on: until the module is there, the connection, the first message");
  row("", ...CONTENDERS.flatMap((name) => [name.slice(0, 12), "", ""]));
  for (const { about, cpu, network } of CONDITIONS) {
    const times = number("BMT_BENCH_COLD", count * ONCE_A_ROUND);
    const measured = await rounds(times, CONTENDERS, (name) => measure(world, name, cpu, network));
    const cells = CONTENDERS.flatMap((name) =>
      ["imported", "connected", "first"].map((figure) => middle(measured, name, (one) => one[figure]).toFixed(0)),
    );
    row(about, ...cells);
  }
}

function measure({ server, site }, name, cpu, network) {
  return Scope.around(async (scope) => {
    const source = await Source.open(scope, server);
    const stop = new AbortController();
    const sending = source.keepSending(TOPIC, { bytes: 180, perSecond: PER_SECOND, signal: stop.signal });
    const page = await site.page(scope);
    const cost = await Cost.of(page);
    await cost.slowDown(cpu);
    if (network) await cost.network(network);
    const times = await page.evaluate(begin, [name, server.url, server.token(), TOPIC]);
    stop.abort();
    await sending;
    return times;
  });
}

/** In the page. */
async function begin([name, url, token, topic]) {
  const began = performance.now();
  const passed = () => performance.now() - began;
  const { connect } = await import(`/${name}/main.js`);
  const imported = passed();
  const client = await connect(url, token);
  const connected = passed();
  return new Promise((resolve, reject) => {
    client.subscribe(topic, () => resolve({ imported, connected, first: passed() })).catch(reject);
  });
}
