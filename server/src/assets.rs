//! The web app inside the binary: its files by path, and its page.
//!
//! A table made at compile time by the build script; no files are read while the server runs, and nothing here
//! knows of HTTP beyond the words its headers need. SPEC §11.

/// One file of the web app.
#[derive(Debug)]
pub struct Asset {
    /// Its address without the leading slash: `app-0123456789abcdef_bg.wasm`.
    pub path: &'static str,
    /// The value of `ETag`, changing with the content; weak, since it is the same for both encodings.
    pub etag: &'static str,
    /// The content.
    pub bytes: &'static [u8],
    /// The content compressed with brotli, where that is smaller by a tenth at least. A response that could
    /// use it says `Vary: Accept-Encoding`.
    pub brotli: Option<&'static [u8]>,
}

/// All files but the page, sorted by path.
static ASSETS: &[Asset] = include!(concat!(env!("OUT_DIR"), "/assets.rs"));

/// The page, if the app was built before the server.
const PAGE: Option<&str> = include!(concat!(env!("OUT_DIR"), "/page.rs"));

/// What stands in the page where the nonce of the response goes; `Trunk.toml` says the same.
const NONCE_PLACEHOLDER: &str = "{{CSP_NONCE}}";

/// What stands in the page where the path goes that it lives under.
const BASE: &str = "<base href=\"/\"";

/// What a server built without the app answers with.
const NOT_BUILT: &str = "<!doctype html>
<html lang=\"en\">
<meta charset=\"utf-8\">
<title>BMT Realtime</title>
<h1>The web app is not in this server</h1>
<p>The server runs and its API answers, but it was compiled without the web app.
Stop it and start it with <code>cargo xtask serve</code>, which builds both,
or make a server with both by <code>cargo xtask build</code>.</p>
</html>
";

/// The file at this path of an address, with or without its leading slash.
///
/// Answers none for the page itself: it goes through [`page`]. A path that is none of these files and has no
/// dot in its last segment is a view of the app (`/chat/general`) and answered with the page.
pub fn lookup(path: &str) -> Option<&'static Asset> {
    let path = path.strip_prefix('/').unwrap_or(path);
    let found = ASSETS.binary_search_by(|asset| asset.path.cmp(path)).ok()?;
    Some(&ASSETS[found])
}

/// The page that lives under `base` (empty, or a path without a slash at its end), with the nonce that the
/// response's `Content-Security-Policy` names; never to be cached.
///
/// Both go into attributes as they are: `nonce` is base64 or the like, `base` is what the configuration lets in.
pub fn page(base: &str, nonce: &str) -> String {
    let page = PAGE.unwrap_or(NOT_BUILT).replace(NONCE_PLACEHOLDER, nonce);
    page.replacen(BASE, &format!("<base href=\"{base}/\""), 1)
}

/// Whether the app was there when the server was compiled.
pub fn is_built() -> bool {
    PAGE.is_some()
}

impl Asset {
    /// The value of `Content-Type`.
    pub fn content_type(&self) -> &'static str {
        content_type(self.path)
    }

    /// The value of `Cache-Control`: a year for a name that changes with the content, else ask every time.
    pub fn cache_control(&self) -> &'static str {
        if is_hashed(self.path) {
            "public, max-age=31536000, immutable"
        } else {
            "no-cache"
        }
    }
}

/// By extension; WebAssembly is only compiled while it streams in if it comes under its own type.
fn content_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map_or("", |(_, extension)| extension) {
        "css" => "text/css; charset=utf-8",
        "gif" => "image/gif",
        "html" => "text/html; charset=utf-8",
        "ico" => "image/x-icon",
        "jpg" | "jpeg" => "image/jpeg",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "json" | "map" => "application/json",
        "mp3" => "audio/mpeg",
        "ogg" => "audio/ogg",
        "png" => "image/png",
        "svg" => "image/svg+xml",
        "txt" => "text/plain; charset=utf-8",
        "wasm" => "application/wasm",
        "wav" => "audio/wav",
        "webmanifest" => "application/manifest+json",
        "webp" => "image/webp",
        "woff2" => "font/woff2",
        _ => "application/octet-stream",
    }
}

/// Whether trunk put a hash of the content into the name, before a dash or behind one.
///
/// It writes 64 bits in hexadecimal without leading zeros; fewer than twelve digits happen once in 65,536 names,
/// and such a file is only asked for again.
fn is_hashed(path: &str) -> bool {
    let is_hash =
        |part: &str| (12..=16).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_hexdigit());
    path.split(['/', '.', '_'])
        .filter_map(|name| Some((name.split_once('-')?, name.rsplit_once('-')?)))
        .any(|((first, _), (_, last))| is_hash(first) || is_hash(last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_the_app_is_found_by_its_own_path_with_and_without_slash() {
        for asset in ASSETS {
            assert_eq!(lookup(asset.path).map(|found| found.path), Some(asset.path));
            assert_eq!(
                lookup(&format!("/{}", asset.path)).map(|found| found.etag),
                Some(asset.etag)
            );
        }
        assert!(lookup("/no/such/file.js").is_none());
        assert!(lookup("/index.html").is_none());
        assert!(lookup("/").is_none());
    }

    #[test]
    fn a_compressed_file_is_smaller_and_never_served_by_its_own_name() {
        for asset in ASSETS {
            assert!(!asset.path.ends_with(".br"), "{}", asset.path);
            assert!(
                asset.brotli.is_none_or(|small| small.len() < asset.bytes.len()),
                "{}",
                asset.path
            );
        }
    }

    #[test]
    fn the_page_carries_the_nonce_of_its_response_and_no_placeholder() {
        let page = page("", "bm9uY2U");
        assert!(!page.contains(NONCE_PLACEHOLDER));
        assert_eq!(page.contains("nonce=\"bm9uY2U\""), is_built());
    }

    #[test]
    fn the_page_says_where_it_lives_before_it_names_a_file() {
        let page = page("/realtime", "bm9uY2U");
        let base = page.find("<base href=\"/realtime/\"");
        assert_eq!(base.is_some(), is_built());
        assert!(base <= page.find(" src=").or(base));
        assert!(!page.contains(" href=\"/\""));
    }

    #[test]
    fn names_with_a_hash_are_kept_for_a_year_and_others_are_asked_for_again() {
        for hashed in [
            "bmt-app-0123456789abcdef_bg.wasm",
            "bmt-app-0123456789abcdef.js",
            "chat-b0d8f4f9e32b828.css",
            "282756253016ba95-loader.mjs",
            "snippets/bmt-app-0123456789abcdef/inline0.js",
        ] {
            assert!(is_hashed(hashed), "{hashed}");
        }
        for plain in [
            "assets/logo.svg",
            "bmt-app-012345.js",
            "notes-about-everything.js",
            "favicon.ico",
        ] {
            assert!(!is_hashed(plain), "{plain}");
        }
    }

    #[test]
    fn a_module_and_its_wasm_have_the_types_that_browsers_insist_on() {
        assert_eq!(
            content_type("snippets/x/inline0.js"),
            "text/javascript; charset=utf-8"
        );
        assert_eq!(
            content_type("bmt-app-0123456789abcdef_bg.wasm"),
            "application/wasm"
        );
        assert_eq!(content_type("LICENSE"), "application/octet-stream");
    }
}
