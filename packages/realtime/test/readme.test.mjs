/** The examples of the README do what they say: the programs run, the typed ones compile. */
import assert from "node:assert/strict";
import { execFile, execFileSync } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import path from "node:path";
import { describe, it } from "node:test";
import { promisify } from "node:util";

import { PASSWORD, Server } from "../../../tests/support/server.mjs";
import { installed, ROOT } from "./support/installed.mjs";

const readme = await readFile(path.join(ROOT, "README.md"), "utf8");
const blocks = (language) =>
  [...readme.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, "gms"))].map(([, code]) => code);

describe("the README", () => {
  const here = installed();

  it("runs: its first program says hello to itself", async (t) => {
    const server = await Server.start(t);
    const [program] = blocks("js");
    const file = path.join(here.project, "first.mjs");
    await writeFile(file, program.replaceAll("http://localhost:5000", server.url));
    const env = { ...process.env, BMT_DEV_PASSWORD: PASSWORD };
    const { stdout } = await promisify(execFile)(process.execPath, [file], { env, timeout: 20_000 });
    assert.match(stdout, /hello/);
  });

  it("compiles: its typed examples, under strict checks of the library too", async () => {
    const typed = blocks("ts");
    assert.ok(typed.length > 0);
    const files = await Promise.all(
      typed.map(async (code, n) => {
        const file = path.join(here.project, `typed${n}.ts`);
        await writeFile(file, code);
        return file;
      }),
    );
    typescript(here.project, ...files);
  });

  it("refuses what its types forbid", async () => {
    const file = path.join(here.project, "wrong.ts");
    await writeFile(
      file,
      `import { RealtimeClient } from "@bmt/realtime";
       const client = new RealtimeClient<{ "public:chat": { content: string } }>("http://x");
       // @ts-expect-error: content is a string
       void client.publish("public:chat", { content: 1 });
       // @ts-expect-error: nothing is said about this channel
       void client.subscribe("public:other", ({ payload }) => payload.content);
       void client.subscribe("public:chat", ({ payload }) => payload.content.length);
       // @ts-expect-error: no such event
       client.on("mesage", () => {});
      `,
    );
    typescript(here.project, file);
  });
});

function typescript(project, ...files) {
  const require = createRequire(import.meta.url);
  const manifest = require.resolve("typescript/package.json");
  const tsc = path.join(path.dirname(manifest), require(manifest).bin.tsc);
  const options = ["--noEmit", "--strict", "--exactOptionalPropertyTypes", "--target", "es2022", "--module", "nodenext"];
  try {
    execFileSync(process.execPath, [tsc, ...options, "--lib", "es2022,dom", "--types", "", ...files], {
      cwd: project,
      encoding: "utf8",
    });
  } catch (error) {
    assert.fail(error.stdout);
  }
}
