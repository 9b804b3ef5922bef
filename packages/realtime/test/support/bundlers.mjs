/** The page of `page.mjs`, built as each bundler builds it without being told anything of the package. */
import { copyFile, mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";

import nodeResolve from "@rollup/plugin-node-resolve";
import * as esbuildApi from "esbuild";
import { rollup as rollupApi } from "rollup";
import { createServer } from "vite";
import webpackApi from "webpack";

import { writePage } from "./page.mjs";

/** A folder beside the project's modules, and the page's files in it. */
async function begin(project, name) {
  const root = path.join(project, name);
  const outDir = path.join(root, "site");
  await mkdir(outDir, { recursive: true });
  await writePage(root);
  await copyFile(path.join(root, "index.html"), path.join(outDir, "index.html"));
  return { root, outDir, main: path.join(root, "main.js"), worker: path.join(root, "worker.js") };
}

/** @returns the folder to serve, as of all that follow */
export async function esbuild(project) {
  const { outDir, main, worker } = await begin(project, "of-esbuild");
  await esbuildApi.build({
    entryPoints: [main, worker],
    outdir: outDir,
    bundle: true,
    splitting: true,
    format: "esm",
    minify: true,
    logLevel: "error",
  });
  return outDir;
}

export async function rollup(project) {
  const { outDir, main, worker } = await begin(project, "of-rollup");
  const bundle = await rollupApi({
    input: { main, worker },
    plugins: [nodeResolve({ browser: true })],
    onwarn: ({ message }) => {
      throw new Error(message);
    },
  });
  await bundle.write({ dir: outDir, format: "es", entryFileNames: "[name].js" });
  await bundle.close();
  return outDir;
}

export async function webpack(project) {
  const { root, outDir } = await begin(project, "of-webpack");
  const stats = await promisify(webpackApi)({
    mode: "production",
    context: root,
    entry: "./main.js",
    output: { path: outDir, filename: "main.js" },
    performance: false,
  });
  if (stats.hasErrors() || stats.hasWarnings()) throw new Error(stats.toString("errors-warnings"));
  return outDir;
}

/** Vite's server of development, for the length of a test; answers with its address. `files` stand for the page's. */
export async function viteDev(t, project, name, files) {
  const root = path.join(project, name);
  await mkdir(root, { recursive: true });
  if (!files) await writePage(root);
  for (const [name, text] of Object.entries(files ?? {})) await writeFile(path.join(root, name), text);
  const server = await createServer({
    root,
    cacheDir: path.join(root, ".vite"),
    configFile: false,
    logLevel: "error",
    server: { port: 0, host: "127.0.0.1", watch: null },
    optimizeDeps: { entries: ["*.html"] },
  });
  await server.listen();
  t.after(() => server.close());
  return `http://127.0.0.1:${server.httpServer.address().port}/`;
}
