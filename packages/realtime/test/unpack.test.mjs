/** The decoder of the engine takes back whatever the build packs. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { describe, it } from "node:test";

import { transform } from "esbuild";
import { compress } from "lzma1";

import { ROOT } from "./support/installed.mjs";

const source = await readFile(path.join(ROOT, "src/unpack.ts"), "utf8");
const { code } = await transform(source, { loader: "ts" });
const program = (await readFile(process.execPath)).subarray(0, 1 << 20);
const { unpack } = await import(`data:text/javascript;base64,${Buffer.from(code).toString("base64")}`);

describe("the engine's decoder", () => {
  const lines = Array.from({ length: 4_000 }, (_, n) => `line ${(n * n) % 97} of ${n % 7}\n`).join("");
  const kinds = {
    nothing: Buffer.alloc(0),
    "one byte": Buffer.of(255),
    "one byte many times": Buffer.alloc(70_000, 1),
    "what cannot be packed": randomBytes(20_000),
    "what repeats near and far": Buffer.concat([Buffer.from(lines), randomBytes(300), Buffer.from(lines)]),
    "machine code": program,
  };
  for (const [kind, bytes] of Object.entries(kinds)) {
    it(`unpacks ${kind}`, () => {
      const unpacked = Buffer.from(unpack(compress(bytes, 9)));
      assert.ok(unpacked.equals(bytes), `${unpacked.length} of ${bytes.length} bytes`);
    });
  }

  it("reads bytes that stand in the middle of a buffer", () => {
    const packed = Buffer.concat([Buffer.from("before"), Buffer.from(compress(Buffer.from(lines), 9))]);
    assert.equal(Buffer.from(unpack(packed.subarray(6))).toString(), lines);
  });
});
