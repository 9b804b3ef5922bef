/** The methods of `localStorage` over a map, shared by "tabs" of one test. */
export class FakeStorage {
  #texts = new Map();
  /** Most characters of keys and values together. */
  quota = Infinity;

  get length() {
    return this.#texts.size;
  }

  key(at) {
    return [...this.#texts.keys()][at] ?? null;
  }

  getItem(key) {
    return this.#texts.get(key) ?? null;
  }

  setItem(key, text) {
    const others = [...this.#texts].filter(([other]) => other !== key);
    const used = others.reduce((sum, [other, value]) => sum + other.length + value.length, 0);
    if (used + key.length + text.length > this.quota) throw new Error("QuotaExceededError");
    this.#texts.set(key, String(text));
  }

  removeItem(key) {
    this.#texts.delete(key);
  }

  /** All keys that begin with `prefix`. */
  keys(prefix = "") {
    return [...this.#texts.keys()].filter((key) => key.startsWith(prefix));
  }

  /** What a page that ends now leaves to the next one. */
  copy() {
    const copy = new FakeStorage();
    copy.#texts = new Map(this.#texts);
    return copy;
  }

  /** The entries of the queue, wherever they stand. */
  entries() {
    const array = JSON.parse(this.getItem("offline_messages") ?? "[]");
    const apart = this.keys("offline_messages:msg_").map((key) => JSON.parse(this.getItem(key)));
    return [...array, ...apart];
  }
}
