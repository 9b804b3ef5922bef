/**
 * The package as a user has it: packed, and installed in a project of its own. `BMT_PACKAGE_TARBALL` names a
 * tarball that is packed already.
 */
import { execFileSync } from "node:child_process";
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";

/** The package's own folder. */
export const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/**
 * For a suite: a project that has the package installed, and the package's exports, there while its tests run.
 * `also` names other packages that the project has.
 */
export function installed({ also = [] } = {}) {
  const found = {
    project: undefined,
    /** The package as it is published. */
    tarball: undefined,
    bmt: undefined,
    /** The exports of another copy, which shares nothing with the first. */
    fresh: async () => {
      const copy = path.join(found.project, "copy");
      await cp(path.join(found.project, "node_modules/@bmt/realtime/dist"), copy, { recursive: true });
      return import(pathToFileURL(path.join(copy, "index.js")));
    },
  };
  before(async () => {
    found.project = await mkdtemp(path.join(tmpdir(), "bmt-package-"));
    found.tarball = process.env.BMT_PACKAGE_TARBALL ?? pack(found.project);
    await install(found, also);
    found.bmt = await load(found.project);
  });
  after(() => rm(found.project, { recursive: true, force: true }));
  return found;
}

async function install({ project, tarball }, also) {
  await writeFile(path.join(project, "package.json"), '{ "type": "module", "private": true }\n');
  npm(project, "install", "--offline", "--no-audit", "--no-fund", "--no-save", tarball);
  // Node below 22 has no WebSocket of its own; users install `ws`, which is at hand here.
  for (const name of ["ws", ...also]) {
    const at = path.join(project, "node_modules", name);
    await mkdir(path.dirname(at), { recursive: true });
    await symlink(path.join(ROOT, "node_modules", name), at);
  }
}

/** The package's exports, resolved by its name from inside the project. */
async function load(project) {
  const entry = path.join(project, "entry.mjs");
  await writeFile(entry, 'export * from "@bmt/realtime";\n');
  return import(pathToFileURL(entry));
}

function pack(destination) {
  const written = npm(ROOT, "pack", "--silent", "--pack-destination", destination);
  return path.join(destination, written.trim().split("\n").at(-1));
}

function npm(folder, ...args) {
  return execFileSync("npm", args, { cwd: folder, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
}
