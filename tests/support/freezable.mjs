/**
 * A page that Chromium really freezes. Playwright keeps all of its pages visible, and a visible page is never frozen;
 * so this one is made behind its back and spoken to in the browser's own protocol.
 */
import { within } from "./official.mjs";

export class Freezable {
  #browser;
  #session;
  #last = 0;
  #waiting = new Map();

  constructor(browser, session) {
    this.#browser = browser;
    this.#session = session;
    browser.on("Target.receivedMessageFromTarget", ({ message }) => {
      const { id, result, error } = JSON.parse(message);
      const answer = this.#waiting.get(id);
      this.#waiting.delete(id);
      answer?.(error ? Promise.reject(new Error(error.message)) : result);
    });
  }

  static async open(playwright, url) {
    const browser = await playwright.newBrowserCDPSession();
    const { browserContextId } = await browser.send("Target.createBrowserContext");
    const size = { width: 1280, height: 800 };
    const { targetId } = await browser.send("Target.createTarget", { url: "about:blank", browserContextId, ...size });
    const { sessionId } = await browser.send("Target.attachToTarget", { targetId, flatten: false });
    const page = new Freezable(browser, sessionId);
    await page.see();
    await page.send("Page.navigate", { url });
    return page;
  }

  send(method, params = {}) {
    const id = ++this.#last;
    const answer = new Promise((resolve) => this.#waiting.set(id, resolve));
    const message = JSON.stringify({ id, method, params });
    this.#browser.send("Target.sendMessageToTarget", { sessionId: this.#session, message });
    return within(answer, method);
  }

  /** What an expression is in the page. */
  async value(expression) {
    const { result, exceptionDetails } = await this.send("Runtime.evaluate", { expression, returnByValue: true });
    if (exceptionDetails) throw new Error(`${expression}: ${exceptionDetails.text}`);
    return result.value;
  }

  /** Waits until an expression is true in the page. */
  async until(expression, ms = 15_000) {
    const end = performance.now() + ms;
    while (!(await this.value(expression))) {
      if (performance.now() > end) throw new Error(`waited ${ms} ms for ${expression}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /** Waits for what a selector finds, and types there. */
  async type(selector, text) {
    const found = `document.querySelector(${JSON.stringify(selector)})`;
    await this.until(`!!${found}`);
    await this.value(`${found}.focus()`);
    await this.send("Input.insertText", { text });
  }

  /** Somebody looks at the page. */
  async see() {
    await this.send("Emulation.setFocusEmulationEnabled", { enabled: true });
  }

  /** The page is put into the background and frozen; resolves when it is. */
  async freeze() {
    await this.send("Emulation.setFocusEmulationEnabled", { enabled: false });
    await this.value("document.addEventListener('freeze', () => (window.isFrozen = true), { once: true })");
    await this.send("Page.setWebLifecycleState", { state: "frozen" });
    await this.until("window.isFrozen === true");
  }

  async thaw() {
    await this.send("Page.setWebLifecycleState", { state: "active" });
  }
}
