/** Waiting for what comes later, and for it not to come. */

import { aborted, RealtimeError } from "./error.js";

/** @internal `value`, unless `signal` comes first; what it rejects with is a {@link RealtimeError}. */
export async function settled<Value>(value: Promise<Value>, signal?: AbortSignal, topic?: string): Promise<Value> {
  try {
    return await (signal ? unless(signal, value, topic) : value);
  } catch (error) {
    throw RealtimeError.from(error);
  }
}

/** @internal What `run` returns; what it throws is a {@link RealtimeError}. */
export function guard<Value>(run: () => Value): Value {
  try {
    return run();
  } catch (error) {
    throw RealtimeError.from(error);
  }
}

/** @internal After `ms`, or at once when `signal` aborts, which rejects. */
export function delay(ms: number, signal?: AbortSignal): Promise<void> {
  let timer: ReturnType<typeof setTimeout>;
  const passed = new Promise<void>((resolve) => (timer = setTimeout(resolve, ms)));
  return settled(passed, signal).finally(() => clearTimeout(timer));
}

function unless<Value>(signal: AbortSignal, value: Promise<Value>, topic?: string): Promise<Value> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(aborted(signal, topic));
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort, { once: true });
    value.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}
