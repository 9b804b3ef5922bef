/** The key under which a publish happens only once. */

/**
 * Makes a `messageId`: `msg_<ms since the Unix epoch>_<9 digits in base 36>`.
 *
 * @example
 * await client.publish("public:chat", payload, { messageId: generateMessageId() });
 */
export function generateMessageId(): string {
  let random = "";
  while (random.length < 9) random += Math.random().toString(36).slice(2);
  return `msg_${Date.now()}_${random.slice(0, 9)}`;
}
