/** Chromium, one context per person, with everything the page complains about on record. */
import { mkdir } from "node:fs/promises";
import { fileURLToPath } from "node:url";

import { chromium } from "playwright-core";

/** Where screenshots go; ignored by git, looked at by people. */
export const ARTIFACTS = fileURLToPath(new URL("../artifacts/", import.meta.url));

const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--no-first-run",
];

export async function launch(t) {
  const executablePath = process.env.BMT_CHROMIUM ?? "/usr/bin/chromium";
  const browser = await chromium.launch({ executablePath, args: FLAGS });
  t.after(() => browser.close());
  await mkdir(ARTIFACTS, { recursive: true });
  return browser;
}

/** A page in a context of its own. `page.complaints` holds console errors, page errors and CSP reports. */
export async function open(browser, options = {}) {
  const context = await browser.newContext({ locale: "en-US", viewport: { width: 1280, height: 800 }, ...options });
  const page = await context.newPage();
  page.complaints = [];
  page.on("console", (line) => line.type() === "error" && page.complaints.push(line.text()));
  page.on("pageerror", (error) => page.complaints.push(String(error)));
  return page;
}

export const byTestId = (page, id, more = "") => page.locator(`[data-testid="${id}"]${more}`);

/** Logs in through the page that is open and waits until the status says connected. */
export async function logIn(page, username, password) {
  await byTestId(page, "login-username").fill(username);
  await byTestId(page, "login-password").fill(password);
  await byTestId(page, "login-submit").click();
  await connected(page);
}

export const connected = (page, timeout = 15_000) =>
  byTestId(page, "status", '[data-state="connected"]').first().waitFor({ state: "attached", timeout });

/** Types into the composer and sends with Enter. */
export async function say(page, text) {
  const composer = byTestId(page, "composer");
  await composer.click();
  await composer.fill(text);
  await composer.press("Enter");
}

/** The rows of the timeline that show `text`. */
export const rows = (page, text) => byTestId(page, "message").filter({ hasText: text });

/** Texts of all rows that start with `prefix`, in the order of the page. */
export const textsWith = (page, prefix) =>
  page.$$eval(
    '[data-testid="message"]',
    (all, prefix) => all.map((row) => row.textContent.match(new RegExp(`${prefix}\\d+`))?.[0]).filter(Boolean),
    prefix,
  );

export const screenshot = (page, name) => page.screenshot({ path: `${ARTIFACTS}${name}.png` });
