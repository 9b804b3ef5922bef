/**
 * Requests that open no session: the same numbers as the official server's, for each of its checks and in their
 * order (docs/PROTOCOL.md). Runs against the official server too, whose answers these are.
 */
import assert from "node:assert/strict";

import { test } from "../support/cases.mjs";
import { Server } from "../support/server.mjs";

const UNKNOWN_TRANSPORT = 0;
const UNKNOWN_SESSION = 1;
const BAD_METHOD = 2;
const BAD_REQUEST = 3;
const UNSUPPORTED_VERSION = 5;

/** Method, query, the number; `SID` is an open polling session's. */
const CASES = [
  ["GET", "", UNKNOWN_TRANSPORT],
  ["GET", "EIO=4", UNKNOWN_TRANSPORT],
  ["POST", "EIO=4&transport=carrier-pigeon", UNKNOWN_TRANSPORT],
  ["GET", "EIO=4&transport=webtransport", UNKNOWN_TRANSPORT],
  ["GET", "EIO=3&transport=__proto__", UNKNOWN_TRANSPORT],
  ["GET", "EIO=4&transport=polling&sid=nobody", UNKNOWN_SESSION],
  ["POST", "EIO=4&transport=polling&sid=nobody", UNKNOWN_SESSION],
  ["GET", "EIO=3&transport=polling&sid=nobody", UNKNOWN_SESSION],
  ["GET", "EIO=4&transport=websocket&sid=nobody", UNKNOWN_SESSION],
  ["POST", "EIO=4&transport=polling", BAD_METHOD],
  ["PUT", "EIO=3&transport=polling", BAD_METHOD],
  ["POST", "EIO=4&transport=websocket", BAD_METHOD],
  ["GET", "EIO=4&transport=websocket", BAD_REQUEST],
  ["GET", "EIO=3&transport=websocket", BAD_REQUEST],
  ["GET", "EIO=4&transport=websocket&sid=SID", BAD_REQUEST],
  ["GET", "EIO=3&transport=polling&sid=SID", BAD_REQUEST],
  ["POST", "transport=polling&sid=SID", BAD_REQUEST],
  ["GET", "EIO=3&transport=polling", UNSUPPORTED_VERSION],
  ["GET", "EIO=5&transport=polling", UNSUPPORTED_VERSION],
  ["GET", "transport=polling", UNSUPPORTED_VERSION],
];

test("what opens no session is refused by the official server's numbers", async (t) => {
  // A poll of nothing ends with the next ping.
  const server = await Server.start(t, { BMT_HEARTBEAT__INTERVAL_MS: "500", BMT_HEARTBEAT__TIMEOUT_MS: "20000" });
  const at = (query) => `${server.url}/socket.io/?${query}`;
  const opened = await fetch(at("EIO=4&transport=polling"));
  const { sid } = JSON.parse((await opened.text()).slice(1));
  for (const [method, query, code] of CASES) {
    const refused = await fetch(at(query.replace("SID", sid)), { method });
    const told = `${method} ${query}`;
    assert.equal(refused.status, 400, told);
    assert.match(refused.headers.get("content-type"), /^application\/json/, told);
    assert.equal((await refused.json()).code, code, told);
  }
  const other = await fetch(at(`EIO=4&transport=polling&sid=${sid}`));
  assert.equal(other.status, 200, "a refusal ends nobody's session");
});
