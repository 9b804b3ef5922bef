/** Clients of a test's server. */

/** Tests reconnect often; people may wait longer. */
export const FAST = { reconnect: { baseMs: 50, capMs: 200 } };

/** A client of `server`, logged in as a dev account and closed when the test ends. */
export async function member(t, bmt, server, username, options = {}) {
  const { accessToken } = await server.login(username);
  const client = new bmt.RealtimeClient(server.url, { auth: accessToken, ...FAST, ...options });
  t.after(() => client.disconnect());
  return client;
}
