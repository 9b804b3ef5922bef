/** What the build puts beside the sources. */

declare module "*/wasm/bmt_client_js.js" {
  /** The engine behind a client. It throws and rejects with plain objects of a `RealtimeError`'s fields. */
  export class Client {
    constructor(url: string, options: object, onEvent: (name: string, body: unknown) => void);
    /** `token` takes the place of what the options say, from now on. */
    connect(token?: unknown): void;
    disconnect(): void;
    retryNow(): void;
    /** Queues and journals before it returns. Binary parts stand in the options, as `parts`. */
    publish(topic: string, payload: unknown, options: object): void;
    subscribe(topic: string, options: object): Promise<unknown>;
    unsubscribe(topic: string): Promise<unknown>;
    signal(topic: string, payload: unknown, options: object): void;
    history(topic: string, options: object): Promise<unknown>;
    presence(topic: string): Promise<unknown>;
    read(topic: string, seq: number): Promise<unknown>;
    state(): unknown;
    stats(): unknown;
  }
  export function initSync(options: { module: WebAssembly.Module }): unknown;
}

declare module "*/generated/packed.js" {
  /** The module's bytes: sorted, gzip, then base64. */
  const packed: string;
  export default packed;
}
