/** What an import loads, after gzip, as esbuild bundles it for an application. */
import { gzipSync } from "node:zlib";

import { LIMIT_BYTES, REACT_LIMIT_BYTES, reactSize } from "../../../packages/realtime/scripts/size.mjs";
import { CONTENDERS, OFFICIAL, bundleOf, distOf } from "./contenders.mjs";
import { goal, row, title } from "./figures.mjs";

/** The engine, as the text that its chunk carries. */
const PACKED = /["'`][A-Za-z0-9+/=]{10000,}["'`]/;

export async function size() {
  title("size of everything an import loads, bundled by esbuild, KiB after gzip");
  row("", "engine", "bindings", "facade", "all", "/react");
  for (const name of CONTENDERS) {
    const parts = { engine: 0, bindings: 0, facade: 0 };
    for (const { contents, inputs } of await bundleOf(name)) {
      const all = gzipped(contents);
      if (inputs.some((file) => /engine-\w+\.js$/.test(file))) {
        parts.bindings += gzipped(Buffer.from(contents).toString("latin1").replace(PACKED, '""'));
        parts.engine += all - parts.bindings;
      } else parts.facade += all;
    }
    const all = parts.engine + parts.bindings + parts.facade;
    const ours = name !== OFFICIAL;
    const react = ours && (await reactSize(distOf(name)));
    const told = ours ? [parts.engine, parts.bindings, parts.facade] : [];
    row(name, ...[0, 1, 2].map((at) => (ours ? kib(told[at]) : "-")), kib(all), ours ? kib(react) : "-");
    if (!ours) continue;
    goal(`${name}: all ≤ ${kib(LIMIT_BYTES)} KiB`, all <= LIMIT_BYTES);
    goal(`${name}: /react ≤ ${kib(REACT_LIMIT_BYTES)} KiB`, react <= REACT_LIMIT_BYTES);
  }
}

const gzipped = (contents) => gzipSync(contents, { level: 9 }).length;
const kib = (bytes) => (bytes / 1_024).toFixed(1);
