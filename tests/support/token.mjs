/** JSON Web Tokens (RFC 7519) with HS256, made by hand so that the tests can make wrong ones too. */
import { createHmac } from "node:crypto";

/** The secret that the test servers are started with. */
export const SECRET = "a-secret-for-tests-only-0123456789abcdef";

const encode = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");

/** A signed token; `claims` adds to and overrides a user's token that ends in ten minutes. */
export function mintToken(claims = {}, { secret = SECRET, header = { alg: "HS256", typ: "JWT" } } = {}) {
  const now = Math.floor(Date.now() / 1000);
  const body = { sub: "1", name: "One", role: "user", iat: now, exp: now + 600, ...claims };
  const text = `${encode(header)}.${encode(body)}`;
  return `${text}.${createHmac("sha256", secret).update(text).digest("base64url")}`;
}
