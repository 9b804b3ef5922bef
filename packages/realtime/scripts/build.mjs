/** `npm run build`: dist/ from src/ and wasm/ (which `cargo xtask npm` puts here). */
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { copyFile, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

import { build } from "esbuild";

import { printSize } from "./size.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const at = (...parts) => path.join(root, ...parts);

const wasm = at("wasm/bmt_client_js_bg.wasm");
if (!existsSync(wasm)) {
  console.error("wasm/ holds no engine: `cargo xtask npm` compiles it from client/js and then runs this build.");
  process.exit(1);
}

// Gzip, because every host inflates it; base64, because a chunk of JavaScript is what every bundler carries.
const packed = gzipSync(await readFile(wasm), { level: 9 }).toString("base64");
await mkdir(at("generated"), { recursive: true });
await writeFile(at("generated/packed.js"), `export default "${packed}";\n`);

await rm(at("dist"), { recursive: true, force: true });
await build({
  entryPoints: [at("src/index.ts")],
  outdir: at("dist"),
  bundle: true,
  splitting: true,
  format: "esm",
  target: "es2022",
  minify: true,
  legalComments: "none",
  logLevel: "warning",
});

const typescript = createRequire(import.meta.url).resolve("typescript/package.json");
const { bin } = JSON.parse(await readFile(typescript, "utf8"));
execFileSync(process.execPath, [path.join(path.dirname(typescript), bin.tsc), "-p", at("tsconfig.json")], {
  stdio: "inherit",
});
// The engine is no part of what the package promises.
await rm(at("dist/engine.d.ts"));

for (const license of ["LICENSE-APACHE", "LICENSE-MIT"]) {
  await copyFile(at("../..", license), at("dist", license));
}

await printSize(at("dist"));
