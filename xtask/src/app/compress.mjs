// Writes `<file>.br` beside every file of a folder that brotli makes smaller by a tenth. The page itself gets
// none: the server writes something else into it each time.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, constants } from "node:zlib";

const folder = process.argv[1];
const page = join(folder, "index.html");
for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
  const path = join(entry.parentPath ?? entry.path, entry.name);
  if (!entry.isFile() || entry.name.endsWith(".br") || path === page) continue;
  const plain = readFileSync(path);
  const small = brotliCompressSync(plain, {
    params: {
      [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY,
      [constants.BROTLI_PARAM_SIZE_HINT]: plain.length,
    },
  });
  if (small.length < plain.length * 0.9) writeFileSync(`${path}.br`, small);
}
