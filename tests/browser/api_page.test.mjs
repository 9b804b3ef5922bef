/** The page that shows the API's description (`/api/v1/docs`, SPEC §8). */
import assert from "node:assert/strict";
import { test } from "node:test";

import { launch, open } from "../support/browser.mjs";
import { Server } from "../support/server.mjs";

test("the API's page has each heading once, in the document's order, and every operation below its own", async (t) => {
  const server = await Server.start(t);
  const api = await (await fetch(`${server.url}/api/v1/openapi.json`)).json();
  const expected = new Map(api.tags.map(({ name }) => [name, new Set()]));
  for (const [path, methods] of Object.entries(api.paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      expected.get(operation.tags[0]).add(`${method.toUpperCase()} ${path}`);
    }
  }

  const page = await open(await launch(t));
  await page.goto(`${server.url}/api/v1/docs`);
  await page.locator("#operations h2").first().waitFor();
  const shown = await page.locator("#operations").evaluate((operations) => {
    const headings = [];
    for (const one of operations.children) {
      if (one.tagName === "H2") headings.push([one.textContent, []]);
      else headings.at(-1)[1].push(`${one.querySelector(".method").textContent} ${one.querySelector("code").textContent}`);
    }
    return headings;
  });

  assert.deepEqual(shown.map(([heading]) => heading), [...expected.keys()]);
  for (const [heading, operations] of shown) {
    assert.deepEqual(operations.toSorted(), [...expected.get(heading)].sort(), heading);
  }
  assert.deepEqual(page.complaints, []);
});
