/** The envelope of the raw endpoint. */

import type { Message } from "./types.js";

/** One frame of the raw endpoint. */
export interface WsMessage<Data = unknown> {
  /** See {@link MessageType}; the server's other events keep their own names. */
  type: string;
  data: Data;
  /** ms since the Unix epoch. */
  timestamp: number;
  /** Of a channel's message, its id; of a reply, the request's. */
  messageId: string;
  /** The seq of a channel's message. */
  sequence?: number;
  /** The channel of a message. */
  topic?: string;
  /** The user id of a message's publisher. */
  from?: string;
  /** The `messageId` that a message's publisher gave it. */
  clientMessageId?: string;
}

/** @internal The frame of a message; one that came in a reply gets the frame that it would have had. */
export function frameOf({ id, topic, from, seq, timestamp, payload, clientMessageId, frame }: Message): WsMessage {
  const [type, data] = frame ? [frame, payload] : typeAndContent(payload);
  const numbered = seq !== undefined && { sequence: seq };
  const named = clientMessageId !== undefined && { clientMessageId };
  return { type, data, timestamp, messageId: id, topic, from, ...numbered, ...named };
}

/** The beginning of every frame, as the server writes them, alone or in an array. */
const FIRST = /^\[?\{"type":"/;
/** The beginning of one that is no channel's message. */
const OTHER = /(?:^\[?|\},)\{"type":"(?!(?:data|status|notification)")/;

/**
 * @internal The frames in one text of the socket that are no messages of a channel. The engine hands those on, so a text
 * that shows at a look to hold nothing else is not read a second time.
 */
export function readOtherFrames(text: string): WsMessage[] {
  if (FIRST.test(text) && !OTHER.test(text) && text.includes('"sequence":')) return [];
  try {
    const parsed: unknown = JSON.parse(text);
    const frames = (Array.isArray(parsed) ? parsed : [parsed]) as (WsMessage | null)[];
    return frames.filter((frame): frame is WsMessage => typeof frame?.type === "string" && !isChannelMessage(frame));
  } catch {
    // The engine closes a connection on which such a thing comes, and says why.
    return [];
  }
}

function isChannelMessage({ type, sequence }: WsMessage): boolean {
  return sequence !== undefined && (type === "data" || type === "status" || type === "notification");
}

/** What kind of frame a payload makes, and what stands in it as `data`: as the server does it. */
function typeAndContent(payload: unknown): [string, unknown] {
  if (typeof payload !== "object" || payload === null || Array.isArray(payload)) return ["data", payload];
  const { type, content = payload } = payload as { type?: unknown; content?: unknown };
  const amends = (type === "edit" || type === "delete" || type === "reaction") && "target" in payload;
  const isStatus = type === "status" || type === "status_change";
  const kind = type === "notification" ? "notification" : isStatus ? "status" : "data";
  return [kind, amends ? payload : content];
}
