/** Who holds which subscription: a channel stays subscribed as long as somebody holds it. */

import { call } from "./emitter.js";
import type { Message, MessageHandler } from "./types.js";

/** @internal One call of `subscribe()` that has not been undone. */
export interface Hold {
  readonly handler: MessageHandler<never> | undefined;
  /** Whether this holder wants to know who comes and goes. */
  readonly presence: boolean;
  /** Whether this holder wants to know how far others had read before. */
  readonly readers: boolean;
  /** Whether the server has had it. Before, the answer to its own call says what becomes of it. */
  isLive?: boolean;
}

/** @internal */
export class Holds {
  readonly #byTopic = new Map<string, Set<Hold>>();

  add(topic: string, hold: Hold): void {
    let holds = this.#byTopic.get(topic);
    if (!holds) this.#byTopic.set(topic, (holds = new Set()));
    holds.add(hold);
  }

  /** Takes one away; whether it was the last one of its channel. */
  drop(topic: string, hold: Hold): boolean {
    return !!this.#byTopic.get(topic)?.has(hold) && this.#dropWhere(topic, (other) => other === hold);
  }

  /** The server has the channel's subscription, for all who hold it. */
  confirm(topic: string): void {
    for (const hold of this.#byTopic.get(topic) ?? []) hold.isLive = true;
  }

  /** The subscription that was in place is no more: it ends for all who had it. Whether somebody did. */
  end(topic: string): boolean {
    const had = [...(this.#byTopic.get(topic) ?? [])].some(({ isLive }) => isLive);
    if (had) this.#dropWhere(topic, ({ isLive }) => isLive === true);
    return had;
  }

  /** Takes away all that have this handler, or all where none is named; whether nobody holds the channel now. */
  dropHandler(topic: string, handler: MessageHandler<never> | undefined): boolean {
    return this.#dropWhere(topic, (hold) => handler === undefined || hold.handler === handler);
  }

  has(topic: string): boolean {
    return this.#byTopic.has(topic);
  }

  /** What somebody of those who hold a channel wants to know of its people. */
  wants(topic: string): { presence: boolean; readers: boolean } {
    const holds = [...(this.#byTopic.get(topic) ?? [])];
    return { presence: holds.some(({ presence }) => presence), readers: holds.some(({ readers }) => readers) };
  }

  /** Hands a message to every handler of its channel, once each however often it was given. */
  deliver(message: Message): void {
    const holds = this.#byTopic.get(message.topic);
    if (!holds) return;
    if (holds.size === 1) {
      for (const { handler } of holds) if (handler) call(() => (handler as MessageHandler<unknown>)(message));
      return;
    }
    const handlers = new Set<MessageHandler<never> | undefined>();
    for (const { handler } of holds) handlers.add(handler);
    handlers.delete(undefined);
    for (const handler of handlers as Set<MessageHandler<unknown>>) call(() => handler(message));
  }

  #dropWhere(topic: string, isMeant: (hold: Hold) => boolean): boolean {
    const holds = this.#byTopic.get(topic);
    if (!holds) return true;
    for (const hold of [...holds]) if (isMeant(hold)) holds.delete(hold);
    if (holds.size > 0) return false;
    this.#byTopic.delete(topic);
    return true;
  }
}
