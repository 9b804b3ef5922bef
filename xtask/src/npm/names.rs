//! Gives what the engine and its bindings call in each other names of a letter or two.
//!
//! wasm-bindgen ends each name with a hash, which stands in both and cannot be compressed. `wasm-opt` shortens the
//! names of the module and prints what they are now; here the bindings follow.

use std::collections::HashMap;

use crate::failure::Failure;

/// Asks `wasm-opt` for it.
pub(super) const OPTION: &str = "--minify-imports-and-exports-and-modules";
/// What `wasm-opt` calls the only module that imports come from.
const MODULE: &str = "a";
/// How wasm-bindgen calls it.
const BINDINGS: &str = "\"./bmt_client_js_bg.js\"";
/// What stands before the name of an export in the bindings, and behind that of an import.
const EXPORTS: &str = "wasm.";
const IMPORT: &str = ": function(";

/// The bindings with the names that `wasm-opt` printed: a line each, which ends with `"long", "short"]`.
pub(super) fn follow(bindings: &str, printed: &str) -> Result<String, Failure> {
    let names: HashMap<&str, &str> = printed.lines().filter_map(renamed).collect();
    if names.is_empty() || !bindings.contains(BINDINGS) {
        return Err(Failure::new(
            "wasm-opt printed no names, or the bindings name their module otherwise",
        ));
    }
    let mut followed = String::with_capacity(bindings.len());
    let mut rest = bindings;
    while let Some(at) = rest.find(is_in_name) {
        let (before, from_name) = rest.split_at(at);
        followed.push_str(before);
        let end = from_name.find(|c| !is_in_name(c)).unwrap_or(from_name.len());
        let (name, behind) = from_name.split_at(end);
        let is_called = followed.ends_with(EXPORTS) || behind.starts_with(IMPORT);
        let short = names.get(name).filter(|_| is_called);
        followed.push_str(short.copied().unwrap_or(name));
        rest = behind;
    }
    followed.push_str(rest);
    Ok(followed.replace(BINDINGS, &format!("\"{MODULE}\"")))
}

/// The last two texts of a line.
fn renamed(line: &str) -> Option<(&str, &str)> {
    let mut texts = line.rsplit('"').skip(1).step_by(2);
    let short = texts.next()?;
    Some((texts.next()?, short))
}

fn is_in_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '$'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn imports_and_exports_are_renamed_and_nothing_else_is() {
        let bindings = r#"
            const topic = wasm.client_topic(1) + wasm.client_topic_17(2) + client_topic + wasm.memory.buffer;
            const import0 = { __wbg_topic_9f: function(arg0) { return arg0.topic; } };
            return { "./bmt_client_js_bg.js": import0 };"#;
        let printed = r#"{
 "imports": [
  ["./bmt_client_js_bg.js", "__wbg_topic_9f", "b"]
 ],
 "exports": [
  ["client_topic", "c"],
  ["client_topic_17", "d"],
  ["memory", "e"],
  ["buffer", "f"]
 ]
}"#;
        let followed = follow(bindings, printed).unwrap();
        assert_eq!(
            followed,
            r#"
            const topic = wasm.c(1) + wasm.d(2) + client_topic + wasm.e.buffer;
            const import0 = { b: function(arg0) { return arg0.topic; } };
            return { "a": import0 };"#
        );
    }

    #[test]
    fn bindings_that_nothing_is_known_of_are_refused() {
        assert!(follow("{ \"./bmt_client_js_bg.js\": import0 }", "").is_err());
        assert!(follow("{ \"./other_bg.js\": import0 }", "[\"a\", \"b\"]").is_err());
    }
}
