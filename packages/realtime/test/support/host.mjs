/** What a page's scripts hold of the host. */

/** Counts it, for `window.host()` to tell. Runs in the page, before its own scripts. */
export function watchHost() {
  let listeners = 0;
  for (const target of [window, document]) {
    const { addEventListener, removeEventListener } = target;
    target.addEventListener = (...args) => (listeners++, addEventListener.apply(target, args));
    target.removeEventListener = (...args) => (listeners--, removeEventListener.apply(target, args));
  }
  const timers = new Set();
  const { setTimeout, clearTimeout, WebSocket } = window;
  window.setTimeout = (callback, ms) => {
    const handle = setTimeout(() => (timers.delete(handle), callback()), ms);
    timers.add(handle);
    return handle;
  };
  window.clearTimeout = (handle) => (timers.delete(handle), clearTimeout(handle));
  // Those that are closed are let go, or this would be what holds them.
  const sockets = new Set();
  let opened = 0;
  window.WebSocket = class extends WebSocket {
    constructor(...args) {
      super(...args);
      opened++;
      sockets.add(this);
      super.addEventListener("close", () => sockets.delete(this), { once: true });
    }
  };
  const { Instance } = WebAssembly;
  const memories = [];
  WebAssembly.Instance = function (...args) {
    const instance = new Instance(...args);
    memories.push(...Object.values(instance.exports).filter((exported) => exported instanceof WebAssembly.Memory));
    return instance;
  };
  WebAssembly.Instance.prototype = Instance.prototype;
  window.host = () => ({ listeners, timers: timers.size, sockets: sockets.size });
  window.openedSockets = () => opened;
  window.openSockets = () => [...sockets];
  window.wasmBytes = () => memories.reduce((sum, { buffer }) => sum + buffer.byteLength, 0);
}
