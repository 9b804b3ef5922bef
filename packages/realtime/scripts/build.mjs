/** `npm run build`: dist/ from src/ and wasm/ (which `cargo xtask npm` puts here). */
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { copyFile, mkdir, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";

import { build } from "esbuild";

import { pack } from "./pack.mjs";
import { printSize } from "./size.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const at = (...parts) => path.join(root, ...parts);

const wasm = at("wasm/bmt_client_js_bg.wasm");
if (!existsSync(wasm)) {
  console.error("wasm/ holds no engine: `cargo xtask npm` compiles it from client/js and then runs this build.");
  process.exit(1);
}

// Gzip, because every host inflates it; base64, because a chunk of JavaScript is what every bundler carries.
const packed = (await pack(await readFile(wasm))).toString("base64");
await mkdir(at("generated"), { recursive: true });
await writeFile(at("generated/packed.js"), `export default "${packed}";\n`);

await rm(at("dist"), { recursive: true, force: true });
const shared = {
  outdir: at("dist"),
  bundle: true,
  format: "esm",
  target: "es2022",
  minify: true,
  legalComments: "none",
  logLevel: "warning",
};
await build({
  ...shared,
  entryPoints: [at("src/index.ts"), at("src/react.ts")],
  splitting: true,
  external: ["react"],
});
// The same sources around an engine that the application loads.
const slimEngine = {
  name: "slim engine",
  setup: ({ onResolve }) => onResolve({ filter: /^\.\/engine\.js$/ }, () => ({ path: at("src/slim-engine.ts") })),
};
await build({ ...shared, entryPoints: [at("src/slim.ts")], plugins: [slimEngine] });
await copyFile(wasm, at("dist/realtime.wasm"));

// The one import by a name that is found out when it runs is not for bundlers. The minifier drops what tells them so.
for (const file of (await readdir(at("dist"))).filter((file) => file.endsWith(".js"))) {
  const code = await readFile(at("dist", file), "utf8");
  const told = code.replace(/\bimport\((?=[\w$]+\))/g, "import(/* @vite-ignore */ /* webpackIgnore: true */ ");
  if (told !== code) await writeFile(at("dist", file), told);
}

const typescript = createRequire(import.meta.url).resolve("typescript/package.json");
const { bin } = JSON.parse(await readFile(typescript, "utf8"));
execFileSync(process.execPath, [path.join(path.dirname(typescript), bin.tsc), "-p", at("tsconfig.json")], {
  stdio: "inherit",
});
// The engine is no part of what the package promises, nor is a module that exports nothing but to its neighbours.
await rm(at("dist/engine.d.ts"));
for (const file of (await readdir(at("dist"))).filter((file) => file.endsWith(".d.ts"))) {
  const types = await readFile(at("dist", file), "utf8");
  if (/^(?:\/\*\*(?:[^*]|\*(?!\/))*\*\/\s*)?export \{\};\s*$/.test(types)) await rm(at("dist", file));
}

for (const license of ["LICENSE-APACHE", "LICENSE-MIT"]) {
  await copyFile(at("../..", license), at("dist", license));
}

await printSize(at("dist"));
