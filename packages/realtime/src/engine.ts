/**
 * The client compiled to WebAssembly, in a chunk of its own: whoever imports the package loads it with the
 * first call that needs it, without `init()` and without anything set up in a bundler.
 */
import { Client, initSync } from "../wasm/bmt_client_js.js";
import packed from "../generated/packed.js";

let ready: Promise<typeof Client> | undefined;

/** The engine's class, once the WebAssembly is compiled. A failure is tried again by the next call. */
export function engine(): Promise<typeof Client> {
  ready ??= start().catch((error: unknown) => {
    ready = undefined;
    throw error;
  });
  return ready;
}

async function start(): Promise<typeof Client> {
  const inflated = new Blob([unpacked()]).stream().pipeThrough(new DecompressionStream("gzip"));
  const response = new Response(inflated, { headers: { "content-type": "application/wasm" } });
  // Compiled while it is inflated, where the host can do that.
  const isStreamed = typeof WebAssembly.compileStreaming === "function";
  const module = isStreamed ? WebAssembly.compileStreaming(response) : WebAssembly.compile(await response.arrayBuffer());
  initSync({ module: await module });
  return Client;
}

function unpacked(): Uint8Array<ArrayBuffer> {
  const text = atob(packed);
  const bytes = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at++) bytes[at] = text.charCodeAt(at);
  return bytes;
}
