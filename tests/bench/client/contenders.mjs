/** The clients that are measured, and their bundles: made by esbuild as an application's would be. */
import { readFile, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";

const here = (file) => fileURLToPath(new URL(file, import.meta.url));
const PACKAGE = here("../../../packages/realtime/");
// The package's own devDependency.
const { build } = createRequire(path.join(PACKAGE, "package.json"))("esbuild");

/** What all ratios are of. */
export const OFFICIAL = "socket.io-client";
export const OURS = "ours";

/** Where the built package of a contender is; none for the official client. */
const packages = new Map([[OURS, path.join(PACKAGE, "dist")]]);
// Another build to compare with in the same run: `BMT_BENCH_BEFORE=<folder of its dist>`.
if (process.env.BMT_BENCH_BEFORE) packages.set("before", path.resolve(process.env.BMT_BENCH_BEFORE));

/** In the order in which they run. */
export const CONTENDERS = [OFFICIAL, ...packages.keys()];

/** The folder of a contender's package. */
export const distOf = (name) => packages.get(name);

/** Bundles each client with its part of the page, into a folder of its name. */
export async function bundleAll(outdir) {
  for (const name of CONTENDERS) {
    const face = here(name === OFFICIAL ? "page/official.js" : "page/ours.js");
    await bundle(name, { entryPoints: { main: face }, outdir: path.join(outdir, name) });
  }
  return outdir;
}

/** All that the import of everything loads: outputs of esbuild, with the names of the files in each. */
export async function bundleOf(name) {
  const specifier = name === OFFICIAL ? OFFICIAL : "@bmt/realtime";
  const contents = `import * as all from "${specifier}"; globalThis.all = all;`;
  const outdir = here("../../artifacts/bundle");
  const stdin = { contents, resolveDir: here("."), sourcefile: "everything.js" };
  const { outputFiles, metafile } = await bundle(name, { stdin, outdir, write: false, metafile: true });
  const inputs = new Map(Object.entries(metafile.outputs).map(([file, { inputs }]) => [path.resolve(file), inputs]));
  return outputFiles.map(({ path: file, contents }) => ({ contents, inputs: Object.keys(inputs.get(file) ?? {}) }));
}

function bundle(name, options) {
  const found = ({ path: specifier }) => ({
    path: path.join(distOf(name), specifier.endsWith("/react") ? "react.js" : "index.js"),
    sideEffects: false,
  });
  const own = { name: "the package", setup: ({ onResolve }) => onResolve({ filter: /^@bmt\/realtime/ }, found) };
  return build({
    bundle: true,
    splitting: true,
    format: "esm",
    target: "es2022",
    minify: true,
    legalComments: "none",
    logLevel: "warning",
    // Relative names of files in what it tells.
    absWorkingDir: process.cwd(),
    plugins: [own],
    ...options,
  });
}

/** The page around them. */
export const page = () => readFile(here("page/index.html"));
export const remove = (folder) => rm(folder, { recursive: true, force: true });
