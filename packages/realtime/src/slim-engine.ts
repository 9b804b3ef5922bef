/** The client compiled to WebAssembly, from where the application says. */
import { Client, initSync } from "../wasm/bmt_client_js.js";
import { RealtimeError } from "./error.js";

/** Where the WebAssembly module is: its address, a response that brings it, its bytes, or the compiled module. */
export type EngineSource = string | URL | Request | Response | BufferSource | WebAssembly.Module;

let ready: Promise<typeof Client> | undefined;

/**
 * Loads the WebAssembly module; once, before the first client connects, publishes or subscribes. Making clients and
 * adding listeners needs nothing.
 *
 * @param source - the file `@bmt/realtime/realtime.wasm` of this very version
 * @returns when it is compiled. Called again after a failure, it tries again; after a success, it does nothing
 * @throws {@link RealtimeError} `connect_error`: it cannot be fetched, or is no module
 *
 * @example
 * import { init, RealtimeClient } from "@bmt/realtime/slim";
 * import address from "@bmt/realtime/realtime.wasm?url"; // as Vite spells it
 * await init(address);
 */
export async function init(source: EngineSource | Promise<EngineSource>): Promise<void> {
  ready ??= start(source).catch((cause: unknown) => {
    ready = undefined;
    const text = `The WebAssembly module cannot be loaded: ${cause instanceof Error ? cause.message : String(cause)}`;
    throw new RealtimeError(text, { code: "connect_error", retryable: true, cause });
  });
  await ready;
}

/** @internal The engine's class, once `init()` has loaded it. */
export async function engine(): Promise<typeof Client> {
  if (ready) return ready;
  const text = "Nothing is loaded yet: `@bmt/realtime/slim` needs `await init(…)` first, with `@bmt/realtime/realtime.wasm`";
  throw new RealtimeError(text, { code: "invalid_operation" });
}

async function start(given: EngineSource | Promise<EngineSource>): Promise<typeof Client> {
  let source = await given;
  const isAddress = typeof source === "string" || source instanceof URL || source instanceof Request;
  if (isAddress) source = await fetch(source as string | URL | Request);
  initSync({ module: await compile(source as Exclude<EngineSource, string | URL | Request>) });
  return Client;
}

async function compile(source: Response | BufferSource | WebAssembly.Module): Promise<WebAssembly.Module> {
  if (source instanceof WebAssembly.Module) return source;
  if (!(source instanceof Response)) return WebAssembly.compile(source);
  if (!source.ok) throw new Error(`the server answered ${source.status} for ${source.url}`);
  // Servers that call it something else make the streaming way fail.
  const isWasm = source.headers.get("content-type")?.startsWith("application/wasm");
  return isWasm ? WebAssembly.compileStreaming(source) : WebAssembly.compile(await source.arrayBuffer());
}
