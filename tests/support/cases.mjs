/**
 * Cases of the official client: those of any server, and those of ours alone. With `BMT_SERVER_KIND=node` the first
 * run against the official Node server (see `yardstick.mjs`), which shows that it is the case that is right when it
 * fails here, and the others are left out.
 */
import { test as any } from "node:test";

/** Whether the tests run against the official Node server. */
export const IS_YARDSTICK = process.env.BMT_SERVER_KIND === "node";

/** A case of any server. */
export const test = any;

/** A case of our server: its limits, its HTTP API, what it keeps over a restart. */
export const ours = { test: IS_YARDSTICK ? any.skip : any };
