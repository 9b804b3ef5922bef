/** `npm run size`: what an import of the package loads, part by part, gzipped as a server would. */
import { readFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

/** The goal: everything the default import loads. */
export const LIMIT_BYTES = 40 * 1024;
/** The goal: what the hooks add to it. */
export const REACT_LIMIT_BYTES = 1_536;

/** An import of a neighbour, as the minifier writes it. */
const IMPORT = /(?:from|import|import\()\s*["']\.\/([\w.-]+\.js)["']/g;

/** Bytes after gzip, by file, of a built package's entry and of everything that it imports, now or later. */
export async function sizes(dist, entry) {
  const found = new Map();
  const take = async (file) => {
    if (found.has(file)) return;
    const code = await readFile(path.join(dist, file));
    found.set(file, gzipSync(code, { level: 9 }).length);
    for (const [, imported] of code.toString("latin1").matchAll(IMPORT)) await take(imported);
  };
  await take(entry);
  return found;
}

/** Bytes that the hooks alone add. */
export async function reactSize(dist) {
  return (await sizes(dist, "react.js")).get("react.js");
}

export async function printSize(dist) {
  const parts = await sizes(dist, "index.js");
  const total = [...parts.values()].reduce((sum, bytes) => sum + bytes, 0);
  for (const [file, bytes] of parts) print(bytes, file);
  print(total, "everything an import loads");
  print(await reactSize(dist), "react.js, besides");
  const wasm = gzipSync(await readFile(path.join(dist, "realtime.wasm")), { level: 9 }).length;
  print((await sizes(dist, "slim.js")).get("slim.js") + wasm, "slim.js and realtime.wasm");
}

function print(bytes, name) {
  console.log(`${(bytes / 1024).toFixed(1).padStart(7)} KiB gzip  ${name}`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await printSize(fileURLToPath(new URL("../dist", import.meta.url)));
}
