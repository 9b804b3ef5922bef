/** The action envelope: messages that say what is to be done, and handlers by action. */

import { Emitter, report, type Listener, type Unlisten } from "./emitter.js";
import { RealtimeError } from "./error.js";
import { generateMessageId } from "./message-id.js";

/** What an action's data is. */
export type ActionType = "text" | "image" | "file" | "audio" | "system" | "typing" | "read" | "heartbeat";

/** Who sent an action, as the sender says. */
export interface ActionSender {
  id: string;
  name: string;
  avatar?: string;
}

/** A payload that says what is to be done. */
export interface ActionMessage<Data = unknown> {
  id: string;
  type: ActionType | (string & {});
  /** Which handlers are called. */
  action: string;
  data: Data;
  /** When it was made, ms since the Unix epoch. */
  timestamp: number;
  sender?: ActionSender;
}

/** Does what an action asks for. */
export type ActionHandler<Data = unknown> = (message: ActionMessage<Data>) => unknown;

/**
 * Makes an action envelope with a new id and the present time.
 *
 * @param type - what `data` is. Default `text`
 *
 * @example
 * await client.publish("public:chat", createMessage("new_message", { content: "hello" }));
 */
export function createMessage<Data>(
  action: string,
  data: Data,
  type: ActionMessage["type"] = "text",
  sender?: ActionSender,
): ActionMessage<Data> {
  const message = { id: generateMessageId(), type, action, data, timestamp: Date.now() };
  return sender ? { ...message, sender } : message;
}

/**
 * Reads an action envelope: JSON, or what JSON was parsed to.
 *
 * @throws {@link RealtimeError} `invalid_message`: no JSON, no object, or a field that is missing or of another type,
 *   which the text names. A missing `timestamp` is the present time.
 *
 * @example
 * const { action, data } = parseMessage(event.data);
 */
export function parseMessage<Data = unknown>(message: unknown): ActionMessage<Data> {
  const value = typeof message === "string" ? json(message) : message;
  if (typeof value !== "object" || value === null) throw invalid("An action envelope is an object");
  const envelope = value as Record<string, unknown>;
  for (const field of ["id", "type", "action"]) {
    if (typeof envelope[field] !== "string" || envelope[field] === "") {
      throw invalid(`An action envelope has a \`${field}\`, which is a text`);
    }
  }
  const { timestamp = Date.now() } = envelope;
  if (typeof timestamp !== "number") throw invalid("The `timestamp` of an action envelope is a number of ms");
  return { ...envelope, timestamp } as ActionMessage<Data>;
}

/**
 * Handlers by action, for messages of any source. `client.registerHandler` uses one of its own.
 *
 * @example
 * const handlers = new MessageEventHandler();
 * handlers.registerHandler("typing_status", async ({ data }) => showTyping(data));
 * handlers.on("error", (error) => report(error.cause));
 * socket.onmessage = ({ data }) => handlers.handleMessage(data);
 */
export class MessageEventHandler {
  readonly #events = new Emitter<{ error: RealtimeError }>();
  readonly #byAction = new Map<string, Set<ActionHandler<never>>>();

  /** @param onError - takes what handlers throw and reject with */
  constructor(onError?: (error: RealtimeError) => void) {
    if (onError) this.on("error", onError);
  }

  /** Adds a handler for an action; returns the undo. */
  registerHandler<Data = unknown>(action: string, handler: ActionHandler<Data>): Unlisten {
    let handlers = this.#byAction.get(action);
    if (!handlers) this.#byAction.set(action, (handlers = new Set()));
    handlers.add(handler);
    return () => {
      handlers.delete(handler);
      if (handlers.size === 0 && this.#byAction.get(action) === handlers) this.#byAction.delete(action);
    };
  }

  /**
   * Calls the handlers of a message's action; what is no action envelope is left alone.
   *
   * @returns when all of them are done. It never rejects: what they throw is the event `error`
   */
  async handleMessage(message: unknown): Promise<void> {
    let envelope: ActionMessage<never>;
    try {
      envelope = parseMessage<never>(message);
    } catch {
      return;
    }
    const handlers = [...(this.#byAction.get(envelope.action) ?? [])];
    await Promise.all(handlers.map((handler) => this.#run(handler, envelope)));
  }

  /** Listens to what handlers throw; where nobody does, it is reported like any uncaught error. */
  on(name: "error", listener: Listener<RealtimeError>): Unlisten {
    return this.#events.on(name, listener);
  }

  async #run(handler: ActionHandler<never>, message: ActionMessage<never>): Promise<void> {
    try {
      await handler(message);
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      const error = new RealtimeError(`A handler of \`${message.action}\` failed: ${why}`, { code: "handler_failed", cause });
      if (!this.#events.emit("error", error)) report(error);
    }
  }
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw invalid("An action envelope is JSON", cause);
  }
}

function invalid(text: string, cause?: unknown): RealtimeError {
  return new RealtimeError(text, { code: "invalid_message", cause });
}
