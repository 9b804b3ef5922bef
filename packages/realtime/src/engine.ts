/**
 * The client compiled to WebAssembly, in a chunk of its own: whoever imports the package loads it with the
 * first call that needs it, without `init()` and without anything set up in a bundler.
 */
import { Client, initSync } from "../wasm/bmt_client_js.js";
import packed from "../generated/packed.js";
import { unpack } from "./unpack.js";

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
  const inflated = new Blob([decoded()]).stream().pipeThrough(new DecompressionStream("gzip"));
  const module = await WebAssembly.compile(unpack(await new Response(inflated).arrayBuffer()));
  initSync({ module });
  return Client;
}

function decoded(): Uint8Array<ArrayBuffer> {
  const text = atob(packed);
  const bytes = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at++) bytes[at] = text.charCodeAt(at);
  return bytes;
}
