/**
 * Hooks for React 18 and 19.
 *
 * @packageDocumentation
 */
import { createContext, useCallback, useContext, useEffect, useMemo, useRef, useState, type Context } from "react";

import {
  Realtime,
  RealtimeClient,
  RealtimeError,
  type ChannelTypes,
  type Message,
  type PayloadOf,
  type Present,
  type Published,
  type PublishOptions,
  type RealtimeOptions,
  type SubscribeOptions,
  type Subscription,
} from "./index.js";

/** Messages that a component holds when it does not say how many; the oldest go first. */
const MOST_MESSAGES = 1_000;

/** Any client, whatever its payloads. */
type AnyClient = RealtimeClient<any>;

/**
 * The client that `useChannel` and `usePresence` use below it; without one, the shared connection `Realtime`.
 *
 * @example
 * <RealtimeContext value={client}><Chat /></RealtimeContext>
 */
export const RealtimeContext: Context<AnyClient | null> = /* @__PURE__ */ createContext<AnyClient | null>(null);

/** Options of {@link useRealtime}: those of a client, and how many messages are held. Read when it connects. */
export interface UseRealtimeOptions extends RealtimeOptions {
  /** Most messages in `messages`. Default 1,000; the oldest go first. */
  maxMessages?: number;
}

/** What {@link useRealtime} returns. */
export interface UseRealtime<Channels extends ChannelTypes> {
  /** Whether a connection is up. */
  connected: boolean;
  /** What went wrong last, for people; `null` again with the next connection. */
  error: string | null;
  /** What came on all subscribed channels, the oldest first. */
  messages: Message[];
  /**
   * Subscribes until the component is gone, or until the result is undone; called again for the same channel, from
   * whichever component it was handed to, it is the same subscription with the options of the last call. Components
   * that come and go by themselves use {@link useChannel}. Before there is a client it does nothing and answers with
   * `undefined`: an effect that depends on this function calls it again then.
   */
  subscribe(channel: string, options?: SubscribeOptions): Promise<Subscription | undefined>;
  /** Publishes; see {@link RealtimeClient.publish}. Nothing before there is a client. */
  publish<Topic extends string>(
    channel: Topic,
    payload: PayloadOf<Channels, Topic>,
    options?: PublishOptions,
  ): Promise<Published | undefined>;
  /** Empties `messages`. */
  clearMessages(): void;
  /** The client underneath; `null` while there is no token. */
  client: RealtimeClient<Channels> | null;
}

/**
 * Connects while the component is there, anew for every server and every token.
 *
 * @typeParam Channels - payload types by channel name or pattern
 * @param token - without one, there is no connection
 *
 * @example
 * const { connected, error, messages, subscribe, publish } = useRealtime("https://realtime.example.com", token);
 * useEffect(() => void subscribe("public:chat"), [subscribe]); // once for each client, over all its reconnects
 */
export function useRealtime<Channels extends ChannelTypes = Record<never, never>>(
  serverUrl: string,
  token: string | null | undefined,
  options?: UseRealtimeOptions,
): UseRealtime<Channels> {
  const [client, setClient] = useState<RealtimeClient<Channels> | null>(null);
  const [connected, setConnected] = useState(false);
  const [error, setError] = useState<string | null>(null);
  const { messages, add, clearMessages } = useMessages<unknown>(options?.maxMessages);
  const latest = useRef(options);
  latest.current = options;

  useEffect(() => {
    if (!token) return;
    const made = new RealtimeClient<Channels>(serverUrl, latest.current);
    // Development mounts twice: what the first one says must not reach the second.
    let live = true;
    const fail = ({ code, message }: Pick<RealtimeError, "code" | "message">) =>
      live && code !== "disconnected" && setError(message);
    made.on("message", add);
    made.on("stateChange", ({ to }) => {
      if (!live) return;
      setConnected(to === "connected");
      if (to === "connected") setError(null);
    });
    made.on("error", fail);
    made.on("unsubscribed", fail);
    made.on("tokenExpired", () => live && setError("The login has expired; log in again"));
    made.connect(token).catch(fail);
    setClient(made);
    return () => {
      live = false;
      made.disconnect();
      setClient(null);
      setConnected(false);
      // What one user was sent, another is not shown.
      setError(null);
      clearMessages();
    };
  }, [serverUrl, token, add, clearMessages]);

  const held = useMemo(() => new Map<string, Subscription>(), [client]);
  const subscribe = useCallback(
    (channel: string, wanted?: SubscribeOptions) => {
      const subscribing = (async () => {
        const subscription = await client?.subscribe(channel, undefined, wanted);
        // A component may ask again with every connection: the newest takes the place of the one before.
        const before = held.get(channel);
        if (subscription) held.set(channel, subscription);
        await before?.unsubscribe();
        return subscription;
      })();
      // It is `error` too, so nobody needs to look at it.
      subscribing.catch(() => {});
      return subscribing;
    },
    [client, held],
  );
  const publish = useCallback(
    async <Topic extends string>(channel: Topic, payload: PayloadOf<Channels, Topic>, wanted?: PublishOptions) =>
      client?.publish(channel, payload, wanted),
    [client],
  );
  return { connected, error, messages, subscribe, publish, clearMessages, client };
}

/** Options of {@link useChannel}: those of a subscription. Read when it subscribes. */
export interface UseChannelOptions extends Omit<SubscribeOptions, "signal"> {
  /** Whose channel. Default: that of {@link RealtimeContext}, else the shared connection. */
  client?: AnyClient | null;
  /** Most messages in `messages`. Default 1,000; the oldest go first. */
  maxMessages?: number;
}

/** What {@link useChannel} returns. */
export interface UseChannel<Payload> {
  /** What came on the channel, the oldest first. */
  messages: Message<Payload>[];
  /** Whether the subscription is in place. */
  subscribed: boolean;
  /** Why it is not, for people: refused at first, or ended by the server later. */
  error: string | null;
  publish(payload: Payload, options?: PublishOptions): Promise<Published>;
  /** Says something to the present subscribers only. */
  signal(payload: unknown): Promise<void>;
  /** Empties `messages`. */
  clearMessages(): void;
}

/**
 * Subscribes to a channel while the component is there.
 *
 * @typeParam Payload - what travels on it
 *
 * @example
 * const { messages, publish } = useChannel<{ text: string }>("public:chat", { history: 50 });
 */
export function useChannel<Payload = unknown>(topic: string, options: UseChannelOptions = {}): UseChannel<Payload> {
  const client = useClient(options.client);
  const { messages, add, clearMessages } = useMessages<Payload>(options.maxMessages);
  const latest = useRef(options);
  latest.current = options;
  const { subscribed, error } = useSubscription(client, topic, add, latest);
  // A channel shows its own messages only.
  useEffect(() => clearMessages, [client, topic, clearMessages]);
  const publish = useCallback(
    (payload: Payload, wanted?: PublishOptions) => client().channel(topic).publish(payload, wanted),
    [client, topic],
  );
  const signal = useCallback((payload: unknown) => client().channel(topic).signal(payload), [client, topic]);
  return { messages, subscribed: subscribed !== undefined, error, publish, signal, clearMessages };
}

/** What {@link usePresence} returns. */
export interface UsePresence {
  /** Who is there, in the order of their coming. */
  users: Present[];
  count: number;
  /** Why it cannot be told, for people. */
  error: string | null;
}

/**
 * Who is present on a channel; subscribes to it while the component is there.
 *
 * @example
 * const { users } = usePresence("public:chat");
 */
export function usePresence(topic: string, options: Pick<UseChannelOptions, "client"> = {}): UsePresence {
  const client = useClient(options.client);
  const [users, setUsers] = useState<Present[]>([]);
  const { subscribed, error } = useSubscription(client, topic, undefined, WITH_PRESENCE);
  useEffect(() => {
    if (!subscribed) return;
    const channel = client().channel(topic);
    const show = () => setUsers(channel.present);
    const undo = [channel.on("presence", show), channel.on("subscribed", show)];
    show();
    return () => {
      for (const run of undo) run();
      setUsers([]);
    };
  }, [client, topic, subscribed]);
  return { users, count: users.length, error };
}

const WITH_PRESENCE = { current: { presence: true } };

/** The client to use, asked for when it is needed: the shared connection may be set up later. */
function useClient(given: AnyClient | null | undefined): () => AnyClient {
  const around = useContext(RealtimeContext);
  const found = given ?? around;
  return useCallback(() => found ?? Realtime.client, [found]);
}

function useMessages<Payload>(most = MOST_MESSAGES) {
  const [messages, setMessages] = useState<Message<Payload>[]>([]);
  const add = useCallback(
    (message: Message) => setMessages((before) => [...before, message as Message<Payload>].slice(-most)),
    [most],
  );
  const clearMessages = useCallback(() => setMessages([]), []);
  return { messages, add, clearMessages };
}

/** A subscription that lives as long as the component. */
function useSubscription(
  client: () => AnyClient,
  topic: string,
  handler: ((message: Message) => void) | undefined,
  options: { readonly current: UseChannelOptions },
) {
  const [subscribed, setSubscribed] = useState<Subscription>();
  const [error, setError] = useState<string | null>(null);
  useEffect(() => {
    let live = true;
    const abort = new AbortController();
    const { client: _, maxMessages: __, ...wanted } = options.current;
    const own = (message: Message) => live && handler?.(message);
    let undo: (() => void) | undefined;
    const subscribing = (async () => {
      const channel = client().channel(topic);
      undo = channel.on("unsubscribed", ({ message }) => {
        setSubscribed(undefined);
        setError(message);
      });
      return channel.subscribe(own, { ...wanted, signal: abort.signal });
    })();
    subscribing.then(
      (subscription) => live && setSubscribed(subscription),
      (reason: RealtimeError) => live && setError(reason.message),
    );
    return () => {
      live = false;
      undo?.();
      abort.abort();
      setSubscribed(undefined);
      setError(null);
      subscribing.then((subscription) => subscription.unsubscribe()).catch(() => {});
    };
  }, [client, topic, handler, options]);
  return { subscribed, error };
}
