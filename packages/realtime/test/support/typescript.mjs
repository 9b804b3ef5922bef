/** The compiler, over files of a project that has the package installed. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createRequire } from "node:module";
import path from "node:path";

/** Fails with what the compiler finds, in the files or in the package's own types. */
export function typescript(project, ...files) {
  const require = createRequire(import.meta.url);
  const manifest = require.resolve("typescript/package.json");
  const tsc = path.join(path.dirname(manifest), require(manifest).bin.tsc);
  const strict = ["--noEmit", "--strict", "--exactOptionalPropertyTypes", "--noUncheckedIndexedAccess"];
  const target = ["--target", "es2022", "--module", "nodenext", "--jsx", "react-jsx"];
  try {
    execFileSync(process.execPath, [tsc, ...strict, ...target, "--lib", "es2022,dom", "--types", "", ...files], {
      cwd: project,
      encoding: "utf8",
    });
  } catch (error) {
    assert.fail(error.stdout);
  }
}
