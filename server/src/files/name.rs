//! The name of a file as people see it. On the disk a file has its id; the name never becomes a path here, and what
//! is left of it is one that no other machine takes for a path, a device or something else than it reads.

/// Bytes of a name: what file systems take.
const NAME_BYTES: usize = 255;
/// An ending longer than this is no ending, and is cut like the rest.
const ENDING_BYTES: usize = 16;
const NAMELESS: &str = "file";
/// Windows takes these, with any ending, for devices.
const DEVICES: &[&str] = &["con", "prn", "aux", "nul"];
const NUMBERED_DEVICES: &[&str] = &["com", "lpt"];

/// Makes a name of whatever an upload calls its file.
pub(super) fn clean(told: &str) -> String {
    let last = told.rsplit(['/', '\\']).next().unwrap_or_default();
    let shown: String = last
        .chars()
        .filter(|letter| !is_hidden(*letter))
        .map(|letter| if "<>:\"|?*".contains(letter) { '_' } else { letter })
        .collect();
    let around = |letter: char| letter == '.' || letter.is_whitespace();
    let mut name = shorten(shown.trim_matches(around));
    if name.is_empty() {
        return NAMELESS.to_owned();
    }
    if is_device(&name) {
        name.insert(0, '_');
        name = shorten(&name);
    }
    name
}

/// Letters that cannot be seen, or that change how others are read.
fn is_hidden(letter: char) -> bool {
    letter.is_control()
        || matches!(letter,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}'
            | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffd}'
            | '\u{e0000}'..='\u{e0fff}')
}

fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default().trim_end();
    let stem = stem.to_ascii_lowercase();
    let numbered = |device: &&str| {
        let digit = stem.strip_prefix(*device).unwrap_or_default();
        digit.len() == 1 && digit.bytes().all(|byte| byte.is_ascii_digit())
    };
    DEVICES.contains(&stem.as_str()) || NUMBERED_DEVICES.iter().any(numbered)
}

/// Cuts the middle: the ending tells what to open a file with.
fn shorten(name: &str) -> String {
    if name.len() <= NAME_BYTES {
        return name.to_owned();
    }
    let ending = name
        .rfind('.')
        .map(|at| &name[at..])
        .filter(|ending| ending.len() <= ENDING_BYTES)
        .unwrap_or_default();
    let mut end = NAME_BYTES - ending.len();
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{ending}", name[..end].trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// FAULTS 58.
    #[test]
    fn what_is_left_of_a_name_is_no_path_no_device_and_reads_as_it_is() {
        for (told, name) in [
            ("report.pdf", "report.pdf"),
            ("../../etc/passwd", "passwd"),
            ("..\\..\\x.bat", "x.bat"),
            ("C:\\Users\\me\\x.txt", "x.txt"),
            ("%2e%2e/x", "x"),
            ("..", "file"),
            ("/", "file"),
            ("", "file"),
            (" . ", "file"),
            ("a\0b\r\nSet-Cookie: x", "abSet-Cookie_ x"),
            ("photo\u{202e}gpj.exe", "photogpj.exe"),
            ("CON", "_CON"),
            ("nul.txt", "_nul.txt"),
            ("Com1.log", "_Com1.log"),
            ("console.log", "console.log"),
            ("a\"b'c;d.txt", "a_b'c;d.txt"),
            ("简历 — 最终版.pdf", "简历 — 最终版.pdf"),
            (".hidden", "hidden"),
        ] {
            assert_eq!(clean(told), name, "{told:?}");
        }
    }

    #[test]
    fn a_long_name_keeps_its_ending() {
        let long = format!("{}.tar", "ü".repeat(2_000));
        let name = clean(&long);
        assert!(name.len() <= NAME_BYTES && name.ends_with("ü.tar"), "{name}");
        assert_eq!(clean(&"x".repeat(4_096)).len(), NAME_BYTES);
    }

    proptest! {
        #[test]
        fn any_text_becomes_a_name(told in any::<String>()) {
            let name = clean(&told);
            prop_assert!((1..=NAME_BYTES).contains(&name.len()));
            prop_assert!(!name.contains(['/', '\\', '\0', '\r', '\n', '"']) && name != "." && name != "..");
            prop_assert_eq!(clean(&name), name.clone());
        }
    }
}
