/** How many connections alice has, as an administrator is told whose token is `admin`. */
export async function connections({ server, admin }) {
  const response = await fetch(`${server.url}/api/v1/connections`, { headers: { authorization: `Bearer ${admin}` } });
  const body = await response.json();
  const rows = body.connections ?? body.items ?? body;
  return rows.filter(({ user, userId, name }) => /alice/i.test(JSON.stringify([user, userId, name]))).length;
}
