/** `npm run size`: what an import of the package loads, part by part, gzipped as a server would. */
import { readdir, readFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

/** The goal: everything the default import loads. */
export const LIMIT_BYTES = 40 * 1024;

/** Bytes after gzip, by file, of the code in a built package. */
export async function sizes(dist) {
  const files = (await readdir(dist)).filter((file) => file.endsWith(".js")).sort();
  return Promise.all(
    files.map(async (file) => [file, gzipSync(await readFile(path.join(dist, file)), { level: 9 }).length]),
  );
}

export async function printSize(dist) {
  const parts = await sizes(dist);
  const total = parts.reduce((sum, [, bytes]) => sum + bytes, 0);
  for (const [file, bytes] of [...parts, ["everything an import loads", total]]) {
    console.log(`${kib(bytes)} KiB gzip  ${file}`);
  }
}

function kib(bytes) {
  return (bytes / 1024).toFixed(1).padStart(7);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await printSize(fileURLToPath(new URL("../dist", import.meta.url)));
}
