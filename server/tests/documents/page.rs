//! A page that is generated: compared in a test run, written where that is asked for.

use std::path::Path;

/// Set by `cargo xtask docs`: write what differs instead of failing.
const WRITE: &str = "BMT_WRITE_DOCS";

/// Holds `docs/<name>` against what was just generated.
pub(crate) fn is(name: &str, generated: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(name);
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    if written == generated {
        return;
    }
    if std::env::var_os(WRITE).is_some() {
        std::fs::write(&path, generated).unwrap_or_else(|error| panic!("docs/{name}: {error}"));
        return;
    }
    let line = written
        .lines()
        .zip(generated.lines())
        .position(|(is, should)| is != should)
        .map_or("its end".to_owned(), |at| {
            format!(
                "line {}: `{}`",
                at + 1,
                generated.lines().nth(at).unwrap_or_default()
            )
        });
    panic!(
        "docs/{name} is not what the sources say, from {line}. Run `cargo xtask docs` and commit the page."
    );
}

/// One row of a Markdown table. A `|` in a cell would end it.
pub(crate) fn row<const N: usize>(cells: [&str; N]) -> String {
    let cells = cells.map(|cell| cell.replace('|', "\\|"));
    format!("| {} |\n", cells.join(" | "))
}

/// The heading of a table.
pub(crate) fn heading<const N: usize>(cells: [&str; N]) -> String {
    row(cells) + &row([(); N].map(|()| "---"))
}

/// The sentences of `///` comments right above a line that begins (after blanks) with `item`.
pub(crate) fn documentation(source: &str, item: &str) -> Option<String> {
    let mut sentences: Vec<&str> = Vec::new();
    for line in source.lines().map(str::trim) {
        if let Some(comment) = line.strip_prefix("///") {
            sentences.push(comment.trim());
        } else if line.starts_with(item) {
            return (!sentences.is_empty()).then(|| without_links(&sentences.join(" ")));
        } else if !line.starts_with("#[") {
            sentences.clear();
        }
    }
    None
}

/// Links between items mean nothing outside the sources: [`Name`] becomes `Name`.
fn without_links(text: &str) -> String {
    text.replace("[`", "`").replace("`]", "`")
}
