/**
 * The same client without the WebAssembly inside: the module `@bmt/realtime/realtime.wasm` is loaded by the
 * application, which lets a browser compile it while it arrives.
 *
 * @packageDocumentation
 */
export * from "./index.js";
export { init, type EngineSource } from "./slim-engine.js";
