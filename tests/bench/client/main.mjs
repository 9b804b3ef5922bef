/**
 * `cargo xtask bench client`: our npm package and the official `socket.io-client`, side by side in one run, in
 * Chromium, against one server of ours. It prints figures, ratios and whether goals are met, and fails where our client
 * loses, doubles or mixes up a message.
 *
 * Every part runs in rounds; a figure is the middle one of all rounds, a ratio the middle one of the ratios within a
 * round. `BMT_BENCH_PARTS` names parts to run (`size receive publish first back storm`), `BMT_BENCH_ROUNDS` how often
 * (3). For a quick look: `BMT_BENCH_MESSAGES` (100000) and `BMT_BENCH_PER_SECOND` (5000) of the receive path,
 * `BMT_BENCH_SECONDS` (5) of each publishing, `BMT_BENCH_COLD` cold pages of each kind (three a round),
 * `BMT_BENCH_CUT_SECONDS` (30), `BMT_BENCH_STORM_SECONDS` (180). `BMT_BENCH_BEFORE` names another built `dist` of the
 * package to measure along, `BMT_BENCH_PROFILE` a folder for CPU profiles.
 */
import { Server } from "../../support/server.mjs";
import { back, storm } from "./cuts.mjs";
import { conclude, number } from "./figures.mjs";
import { first } from "./first.mjs";
import { publish } from "./publish.mjs";
import { receive } from "./receive.mjs";
import { Scope } from "./scope.mjs";
import { Site } from "./site.mjs";
import { size } from "./size.mjs";

const ROUNDS = number("BMT_BENCH_ROUNDS", 3);
const PARTS = { size, receive, publish, first, back, storm };

/** Without limits that would be measured instead of a client, and with messages in memory. */
const SETTINGS = {
  BMT_NAMESPACES__PUBLIC__DURABILITY: "memory",
  BMT_LIMITS__PUBLISH_PER_SECOND: "0",
  BMT_LIMITS__CONNECTIONS_PER_USER: "0",
  BMT_LIMITS__CONNECTIONS_PER_ADDRESS: "0",
  // A page that waits for its turn on a busy machine is no slow consumer.
  BMT_LIMITS__OUTBOX_BYTES: String(256 * 1_024 * 1_024),
  BMT_LIMITS__OUTBOX_MESSAGES: "200000",
};

const wanted = process.env.BMT_BENCH_PARTS?.split(" ") ?? Object.keys(PARTS);
const unknown = wanted.filter((part) => !(part in PARTS));
if (unknown.length) {
  console.error(`BMT_BENCH_PARTS: there is no ${unknown.join(", ")}; there are ${Object.keys(PARTS).join(", ")}`);
  process.exit(2);
}

await Scope.around(async (scope) => {
  const server = await Server.start(scope, SETTINGS);
  const world = { server, site: await Site.open(scope) };
  for (const part of wanted) await PARTS[part](world, ROUNDS);
});
process.exitCode = conclude();
