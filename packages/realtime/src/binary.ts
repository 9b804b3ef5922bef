/** Binary parts of a payload: each travels beside the JSON, where a placeholder names it. */

import { RealtimeError } from "./error.js";

/** Nesting below which nothing is looked for: no server takes JSON that is deeper. */
const MAX_DEPTH = 127;

/**
 * @internal The payload as JSON can say it, and the parts that were taken out of it: every `ArrayBuffer`, typed array,
 * `DataView` and Node `Buffer`, in the order of their placeholders. A payload without them is handed on as it is.
 */
export function takeBinary(
  payload: unknown,
  topic: string,
  isRaw: boolean,
): [payload: unknown, parts: Uint8Array[] | undefined] {
  if (!holdsBinary(payload, 0, new Set())) return [payload, undefined];
  if (isRaw) throw refused("the raw endpoint takes JSON alone; use `protocol: \"socketio\"`, or upload a file", topic);
  const parts: Uint8Array[] = [];
  const replace = (value: unknown, depth: number): unknown => {
    const bytes = bytesOf(value);
    if (bytes) return { _placeholder: true, num: parts.push(bytes) - 1 };
    if (isBlob(value)) throw refused("a Blob is read first: publish `await blob.arrayBuffer()`", topic);
    if (!isNode(value)) return value;
    if (depth === MAX_DEPTH) throw refused(`it is nested deeper than ${MAX_DEPTH} levels, or holds itself`, topic);
    if (Array.isArray(value)) return value.map((inner) => replace(inner, depth + 1));
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, replace(inner, depth + 1)]));
  };
  return [replace(payload, 0), parts];
}

/** Looks into each object once: that one holds itself is said by whoever writes it as JSON. */
function holdsBinary(value: unknown, depth: number, seen: Set<object>): boolean {
  if (typeof value !== "object" || value === null || seen.has(value)) return false;
  if (bytesOf(value) || isBlob(value)) return true;
  seen.add(value);
  if (depth === MAX_DEPTH || !isNode(value)) return false;
  return Object.values(value).some((inner) => holdsBinary(inner, depth + 1, seen));
}

/** Whether something may lie in it: what says itself how it is written, as a `Date` does, is a leaf. */
function isNode(value: unknown): value is object {
  return typeof value === "object" && value !== null && typeof (value as { toJSON?: unknown }).toJSON !== "function";
}

function bytesOf(value: unknown): Uint8Array | undefined {
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  return ArrayBuffer.isView(value) ? new Uint8Array(value.buffer, value.byteOffset, value.byteLength) : undefined;
}

function isBlob(value: unknown): boolean {
  return typeof Blob === "function" && value instanceof Blob;
}

function refused(text: string, topic: string): RealtimeError {
  return new RealtimeError(`A payload with binary parts cannot be sent so: ${text}`, { code: "invalid_message", topic });
}
