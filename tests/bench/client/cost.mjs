/** What a page costs: CPU time of its process, as Chromium counts it, and the memory that a collection leaves. */
import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";

/** Where CPU profiles go, for whoever looks for the cost; what is measured along with one counts for nothing. */
const PROFILES = process.env.BMT_BENCH_PROFILE;

export class Cost {
  #cdp;
  #page;

  static async of(page) {
    const cost = new Cost();
    cost.#page = page;
    cost.#cdp = await page.context().newCDPSession(page);
    await cost.#cdp.send("Performance.enable");
    return cost;
  }

  /**
   * CPU seconds so far: of the main thread, which runs the scripts and most of the garbage collection, and of the whole
   * process with the threads that read the socket and help to collect.
   */
  async #cpu() {
    const { metrics } = await this.#cdp.send("Performance.getMetrics");
    const metric = (wanted) => metrics.find(({ name }) => name === wanted).value;
    return { main: metric("ThreadTime"), process: metric("ProcessTime") };
  }

  /** CPU seconds of `work`. */
  async during(work) {
    const before = await this.#cpu();
    await work();
    const after = await this.#cpu();
    return { main: after.main - before.main, process: after.process - before.process };
  }

  /** Bytes in use after a forced collection: of JavaScript, and of WebAssembly memories, which never shrink. */
  async memory() {
    // What finalizers let go of is collected by the second.
    for (let n = 0; n < 2; n++) await this.#cdp.send("HeapProfiler.collectGarbage");
    const { usedSize } = await this.#cdp.send("Runtime.getHeapUsage");
    const wasm = await this.#page.evaluate("memories.reduce((sum, { buffer }) => sum + buffer.byteLength, 0)");
    return { js: usedSize, wasm };
  }

  /** Runs `work`, with a CPU profile where one is wanted. */
  async profiled(name, work) {
    if (!PROFILES) return work();
    await this.#cdp.send("Profiler.enable");
    await this.#cdp.send("Profiler.setSamplingInterval", { interval: 200 });
    await this.#cdp.send("Profiler.start");
    const result = await work();
    const { profile } = await this.#cdp.send("Profiler.stop");
    await mkdir(PROFILES, { recursive: true });
    await writeFile(path.join(PROFILES, `${name}.cpuprofile`), JSON.stringify(profile));
    return result;
  }

  /** Slows the page down by a factor. */
  async slowDown(rate) {
    await this.#cdp.send("Emulation.setCPUThrottlingRate", { rate });
  }

  /** A network between the page and everybody else: bytes per second and ms of a round trip. */
  async network({ download, upload, latency }) {
    await this.#cdp.send("Network.enable");
    await this.#cdp.send("Network.emulateNetworkConditions", {
      offline: false,
      downloadThroughput: download,
      uploadThroughput: upload,
      latency,
    });
  }
}
