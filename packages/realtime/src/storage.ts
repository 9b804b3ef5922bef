/** Where things are kept that outlive the page. */

/** What is used of a `Storage`: any object with these methods of `localStorage` will do. */
export type StorageLike = Pick<Storage, "getItem" | "setItem" | "removeItem" | "key" | "length">;

/** @internal The storage given, the host's own where none was, nothing where `null` was or the host has none. */
export function storageOf<Given extends Partial<StorageLike>>(given: Given | null | undefined): Given | undefined {
  if (given !== undefined) return given ?? undefined;
  // Node's own is one for all programs of a folder, and warns when it is looked at.
  if ("process" in globalThis) return undefined;
  try {
    return globalThis.localStorage as unknown as Given;
  } catch {
    // Pages may be forbidden to look at it.
    return undefined;
  }
}

/** @internal A JSON array under `key`; empty where there is none, or nothing that can be read. */
export function readList(storage: Pick<Storage, "getItem"> | undefined, key: string): unknown[] {
  try {
    const list: unknown = JSON.parse(storage?.getItem(key) ?? "[]");
    return Array.isArray(list) ? list : [];
  } catch {
    return [];
  }
}
