//! Addresses in a text, found so that they can be followed.

/// A part of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part<'a> {
    /// Words.
    Words(&'a str),
    /// An address that may be followed.
    Link(&'a str),
}

/// The schemes that are followed; nothing that runs code is among them.
const SCHEMES: [&str; 3] = ["https://", "http://", "mailto:"];
/// What ends a sentence ends its address too.
const TRAILING: &[char] = &[
    '.', ',', ';', ':', '!', '?', '\'', '"', '*', '…', '。', '，', '；', '：', '！', '？', '、',
];
/// What never stands in an address that is written in running text.
const ENDING: &[char] = &[
    '<', '>', '"', '`', '（', '）', '「', '」', '“', '”', '，', '。', '；',
];

/// Cuts a text into words and addresses; together they are the text.
pub(crate) fn parts(text: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some((start, end)) = next_link(rest) {
        if start > 0 {
            parts.push(Part::Words(&rest[..start]));
        }
        parts.push(Part::Link(&rest[start..end]));
        rest = &rest[end..];
    }
    if !rest.is_empty() {
        parts.push(Part::Words(rest));
    }
    parts
}

fn next_link(text: &str) -> Option<(usize, usize)> {
    let mut from = 0;
    loop {
        let start = SCHEMES
            .iter()
            .filter_map(|scheme| text[from..].find(scheme))
            .min()?
            + from;
        let inside_word = text[..start]
            .chars()
            .next_back()
            .is_some_and(|c| c.is_ascii_alphanumeric());
        let end = link_end(text, start);
        let scheme = SCHEMES
            .iter()
            .find(|scheme| text[start..].starts_with(**scheme))?;
        if !inside_word && end > start + scheme.len() {
            return Some((start, end));
        }
        from = start + scheme.len();
    }
}

fn link_end(text: &str, start: usize) -> usize {
    let stop = text[start..]
        .find(|c: char| c.is_whitespace() || ENDING.contains(&c))
        .map_or(text.len(), |length| start + length);
    let mut link = &text[start..stop];
    loop {
        let trimmed = link.trim_end_matches(TRAILING);
        // A bracket that was opened outside closes outside.
        let unbalanced =
            trimmed.ends_with(')') && trimmed.matches('(').count() < trimmed.matches(')').count();
        let next = if unbalanced {
            &trimmed[..trimmed.len() - 1]
        } else {
            trimmed
        };
        if next.len() == link.len() {
            return start + link.len();
        }
        link = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn links(text: &str) -> Vec<&str> {
        let all = parts(text);
        let joined: String = all
            .iter()
            .map(|part| match part {
                Part::Words(text) | Part::Link(text) => *text,
            })
            .collect();
        assert_eq!(joined, text);
        all.into_iter()
            .filter_map(|part| match part {
                Part::Link(link) => Some(link),
                Part::Words(_) => None,
            })
            .collect()
    }

    #[test]
    fn addresses_are_found_and_the_sentence_around_them_is_not() {
        assert_eq!(
            links("see https://a.example/x?y=1, ok"),
            ["https://a.example/x?y=1"]
        );
        assert_eq!(links("(http://a.example/b(c))."), ["http://a.example/b(c)"]);
        assert_eq!(links("看 https://a.example/路径。好"), ["https://a.example/路径"]);
        assert_eq!(
            links("mailto:a@b.example and http://b"),
            ["mailto:a@b.example", "http://b"]
        );
    }

    #[test]
    fn nothing_that_runs_is_a_link() {
        for text in [
            "javascript:alert(1)",
            "data:text/html,x",
            "xhttps://a",
            "https://",
            "http:// a",
            "",
        ] {
            assert!(links(text).is_empty(), "{text}");
        }
    }
}
