/** Packs the engine: sorted, then gzip. */
import { fileURLToPath } from "node:url";

import { gzipAsync } from "@gfx/zopfli";
import { build } from "esbuild";

/**
 * The bytes of a module as `unpack` takes them when they are inflated. Zopfli finds which parts are to be coded each
 * in its own way, which are many here: zlib's result is a tenth larger.
 */
export async function pack(module) {
  const tools = await unpacker();
  const sorted = sort(module, tools);
  if (!Buffer.from(tools.unpack(Uint8Array.from(sorted).buffer)).equals(module)) {
    throw new Error("the engine is unpacked into something else than was packed: its code is of a form not known here");
  }
  return Buffer.from(await gzipAsync(sorted, {}));
}

/** What the package unpacks with, and how it walks through a module. */
export async function unpacker() {
  const source = fileURLToPath(new URL("../src/unpack.ts", import.meta.url));
  const { outputFiles } = await build({ entryPoints: [source], bundle: true, format: "esm", write: false });
  return import(`data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString("base64")}`);
}

/** A module in the order that `unpack` takes. */
export function sort(module, { KINDS, walk }) {
  const kinds = Array.from({ length: KINDS }, () => []);
  let at = 0;
  walk({
    take(kind) {
      const byte = module[at++];
      kinds[kind].push(byte);
      return byte;
    },
    isDone: () => at >= module.length,
    begin() {
      while (module[at++] >= 0x80);
    },
    end() {},
  });
  const lengths = Buffer.alloc(4 * (KINDS + 1));
  [...kinds, module].forEach((bytes, kind) => lengths.writeUInt32LE(bytes.length, 4 * kind));
  return Buffer.concat([lengths, ...kinds.map((bytes) => Buffer.from(bytes))]);
}
