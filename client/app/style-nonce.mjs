// Run by Trunk after each build (see Trunk.toml): style sheets get the nonce that Trunk gives scripts only, so that
// the policy of `trunk serve`, which lists nothing but the nonce, lets them in.
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";

const page = path.join(process.env.TRUNK_STAGING_DIR, "index.html");
const text = await readFile(page, "utf8");
await writeFile(page, text.replaceAll('<link rel="stylesheet" ', '<link rel="stylesheet" nonce="{{CSP_NONCE}}" '));
