/** The engine is unpacked into the very module that was packed. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { before, describe, it } from "node:test";
import { gunzipSync, gzipSync } from "node:zlib";

import { pack, sort, unpacker } from "../scripts/pack.mjs";
import { installed } from "./support/installed.mjs";

const PREAMBLE = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00];
const [TYPES, CODE, DATA] = [1, 10, 11];

const leb = (number) => (number < 0x80 ? [number] : [(number & 0x7f) | 0x80, ...leb(number >> 7)]);
const section = (id, bytes) => [id, ...leb(bytes.length), ...bytes];
/** A function without locals. */
const body = (...instructions) => {
  const bytes = [0x00, ...instructions.flat(), 0x0b];
  return [...leb(bytes.length), ...bytes];
};
const module = (...bodies) =>
  Buffer.from([
    ...PREAMBLE,
    ...section(TYPES, [1, 0x60, 0, 0]),
    ...section(CODE, [...leb(bodies.length), ...bodies.flat()]),
    ...section(DATA, [0]),
  ]);

/** An instruction of each form: an `end` (0x0b) among the operands ends nothing. */
const FORMS = {
  "blocks in blocks": [[0x02, 0x40], [0x03, 0x7f], [0x04, 0x0b], [0x05], [0x0b], [0x0b], [0x0b]],
  branches: [[0x0c, 0x0b], [0x0d, 0x00]],
  "a table of branches": [[0x0e, 0x03, 0x00, 0x0b, 0x02, 0x01]],
  calls: [[0x10, 0x8b, 0x0b], [0x11, 0x0b, 0x0b]],
  "a typed select": [[0x1c, 0x01, 0x6f]],
  "locals, globals and tables": [[0x20, 0x0b], [0x22, 0x80, 0x01], [0x23, 0x0b], [0x25, 0x0b], [0x26, 0x00]],
  "loads and stores": [[0x28, 0x02, 0x8b, 0x0b], [0x3e, 0x0b, 0x0b]],
  "the memory's size": [[0x3f, 0x00], [0x40, 0x00]],
  constants: [[0x41, 0x8b, 0x7f], [0x42, 0x0b], [0x43, 0x0b, 0, 0, 0x0b], [0x44, 0x0b, 1, 2, 3, 4, 5, 6, 0x0b]],
  "instructions of two bytes": [[0xfc, 0x07], [0xfc, 0x0a, 0, 0x0b], [0xfc, 0x0b, 0x0b], [0xfc, 0x0e, 0x0b, 0x0b]],
  references: [[0xd0, 0x6f], [0xd1], [0xd2, 0x0b]],
};

describe("the engine's order", () => {
  const here = installed();
  let tools;
  before(async () => (tools = await unpacker()));

  function assertReturns(bytes) {
    const sorted = sort(bytes, tools);
    const unpacked = tools.unpack(Uint8Array.from(sorted).buffer);
    assert.ok(Buffer.from(unpacked).equals(bytes), `${bytes.length} bytes`);
  }

  for (const [form, instructions] of Object.entries(FORMS)) {
    it(`is undone over ${form}`, () => assertReturns(module(body(...instructions), body())));
  }

  it("is undone over functions whose lengths take one byte, two and three", () => {
    const lengths = [0x7d, 0x7e, 0x3ffd, 0x3ffe, 0x4000];
    assertReturns(module(...lengths.map((length) => body(Array(length).fill(0x01)))));
  });

  it("is undone over a module without code", () => assertReturns(Buffer.from(PREAMBLE)));

  it("is undone over the engine, which it makes a fifth smaller", async () => {
    const engine = await readFile(path.join(here.project, "node_modules/@bmt/realtime/dist/realtime.wasm"));
    assertReturns(engine);
    const packed = await pack(engine);
    const share = packed.length / gzipSync(engine, { level: 9 }).length;
    assert.ok(share < 0.8, `${packed.length} bytes, ${Math.round(share * 100)} % of gzip alone`);
    assert.ok(gunzipSync(packed).equals(sort(engine, tools)));
  });
});
