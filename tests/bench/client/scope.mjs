/** What a measurement opens, closed when it ends: as much of a test's context as servers and browsers need. */
export class Scope {
  #undos = [];

  after(undo) {
    this.#undos.push(undo);
  }

  async close() {
    for (const undo of this.#undos.splice(0).reverse()) await undo();
  }

  /** Runs `work` with a scope that ends with it. */
  static async around(work) {
    const scope = new Scope();
    try {
      return await work(scope);
    } finally {
      await scope.close();
    }
  }
}
