/** The examples of the README do what they say: the programs run, the typed ones compile. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import path from "node:path";
import { describe, it } from "node:test";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";

import { transform } from "esbuild";
import { JSDOM } from "jsdom";

import { PASSWORD, Server } from "../../../tests/support/server.mjs";
import { installed, ROOT } from "./support/installed.mjs";
import { typescript } from "./support/typescript.mjs";
import { until } from "./support/until.mjs";

const readme = await readFile(path.join(ROOT, "README.md"), "utf8");
/** The examples in one language, with the headings they stand under. */
const blocks = (language) =>
  readme.split(/^## /m).flatMap((section) => {
    const [heading] = section.split("\n", 1);
    const found = section.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, "gms"));
    return [...found].map(([, code]) => ({ heading, code }));
  });
/** What a program says that it prints: `// → one line | the next`. */
const promised = (code) => [...code.matchAll(/\/\/ → (.*)$/gm)].flatMap(([, lines]) => lines.split(" | "));

describe("the README", () => {
  const here = installed({ also: ["react", "react-dom", "scheduler", "@types/react", "csstype"] });

  for (const { heading, code } of blocks("js")) {
    it(`runs and prints what it says: ${heading}`, async (t) => {
      const server = await Server.start(t);
      const { accessToken } = await server.login("alice");
      const file = path.join(here.project, "example.mjs");
      await writeFile(file, code.replaceAll("localhost:5000", new URL(server.url).host));
      const env = { ...process.env, BMT_DEV_PASSWORD: PASSWORD, TOKEN: accessToken };
      const { stdout, stderr } = await promisify(execFile)(process.execPath, [file], { env, timeout: 20_000 });
      assert.equal(stderr, "");
      // What is printed by listeners comes when it comes.
      assert.deepEqual(stdout.trim().split("\n").sort(), promised(code).sort());
    });
  }

  it("compiles: its typed examples, under strict checks of the library too", async () => {
    const typed = [...blocks("ts"), ...blocks("tsx")];
    assert.ok(typed.length > 1);
    const files = await Promise.all(
      typed.map(async ({ code }, n) => {
        const file = path.join(here.project, `typed${n}.tsx`);
        await writeFile(file, code);
        return file;
      }),
    );
    typescript(here.project, ...files);
  });

  it("runs: its components, strictly, in a page", async (t) => {
    const server = await Server.start(t);
    const { accessToken: token } = await server.login("alice");
    const [{ code }] = blocks("tsx");
    const source = code.replaceAll("localhost:5000", new URL(server.url).host);
    const { code: compiled } = await transform(source, { loader: "tsx", jsx: "automatic" });
    await writeFile(path.join(here.project, "app.mjs"), compiled);
    const { window } = new JSDOM("<!doctype html><main></main>");
    const page = { window, document: window.document, navigator: globalThis.navigator ?? window.navigator };
    for (const [name, value] of Object.entries(page)) globalThis[name] ??= value;
    t.after(() => window.close());
    const require = createRequire(path.join(here.project, "entry.mjs"));
    const [{ createElement, StrictMode }, { createRoot }] = [require("react"), require("react-dom/client")];
    const { App } = await import(pathToFileURL(path.join(here.project, "app.mjs")));
    const main = window.document.querySelector("main");
    const root = createRoot(main);
    t.after(() => root.unmount());
    root.render(createElement(StrictMode, null, createElement(App, { token })));
    assert.doesNotMatch(main.textContent, /here/);
    await until("the button can be pressed", () => main.querySelector("button")?.disabled === false);
    main.querySelector("button").click();
    await until("the message is shown", () => main.querySelector("li")?.textContent === "hello");
    await until("who is here is shown", () => main.textContent.includes("1 here"));
  });
});
