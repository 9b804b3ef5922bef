/** The engine does not grow unnoticed. */
import assert from "node:assert/strict";
import path from "node:path";
import { describe, it } from "node:test";

import { sizes } from "../scripts/size.mjs";
import { installed } from "./support/installed.mjs";

/** A percent above what it is. The goal for all that an import loads is in `scripts/size.mjs`. */
const ENGINE_LIMIT_BYTES = 86_400;

describe("the size of the package", () => {
  const here = installed();

  it("has an engine that is no larger than it was", async () => {
    const dist = path.join(here.project, "node_modules/@bmt/realtime/dist");
    const parts = [...(await sizes(dist, "index.js"))];
    const [, bytes] = parts.find(([file]) => file.startsWith("engine-"));
    assert.ok(bytes <= ENGINE_LIMIT_BYTES, `${bytes} bytes after gzip; ${ENGINE_LIMIT_BYTES} are allowed`);
  });
});
