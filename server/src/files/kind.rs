//! What a file is: by its first bytes. What it is called and what the upload says of it is not believed.

use image::ImageFormat;

/// First bytes that decide.
pub(super) const HEAD_BYTES: usize = 4_096;

const UNKNOWN: &str = "application/octet-stream";
const TEXT: &str = "text/plain";

/// Media that every browser shows and that cannot run anything, by its sniffed name; the names are those that
/// browsers know.
const MEDIA: &[(&str, &str)] = &[
    ("image/png", "image/png"),
    ("image/jpeg", "image/jpeg"),
    ("image/gif", "image/gif"),
    ("image/webp", "image/webp"),
    ("audio/mpeg", "audio/mpeg"),
    ("audio/ogg", "audio/ogg"),
    ("audio/opus", "audio/ogg"),
    ("audio/x-wav", "audio/wav"),
    ("audio/m4a", "audio/mp4"),
    ("video/mp4", "video/mp4"),
    ("video/webm", "video/webm"),
];
/// Containers that hold sound alone as well: the one thing that is taken from what the upload says.
const SOUND: &[(&str, &str)] = &[("video/webm", "audio/webm"), ("video/mp4", "audio/mp4")];

/// A kind of file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kind {
    pub(super) mime: &'static str,
    /// Where it is an image that can be looked into.
    pub(super) image: Option<ImageFormat>,
}

impl Kind {
    pub(super) fn of(head: &[u8], declared: Option<&str>) -> Self {
        let Some(found) = infer::get(head).map(|found| found.mime_type()) else {
            let mime = if is_text(head) { TEXT } else { UNKNOWN };
            return Self { mime, image: None };
        };
        let media = MEDIA.iter().find(|(sniffed, _)| *sniffed == found);
        let mime = media.map_or(found, |(_, mime)| mime);
        let sound = SOUND.iter().find(|(video, audio)| {
            *video == mime && declared.is_some_and(|told| told.eq_ignore_ascii_case(audio))
        });
        let image = match mime {
            "image/png" => Some(ImageFormat::Png),
            "image/jpeg" => Some(ImageFormat::Jpeg),
            "image/gif" => Some(ImageFormat::Gif),
            "image/webp" => Some(ImageFormat::WebP),
            _ => None,
        };
        Self {
            mime: sound.map_or(mime, |(_, audio)| audio),
            image,
        }
    }
}

/// Whether a browser may show a file of this kind in its place; everything else is only downloaded.
pub(super) fn is_media(mime: &str) -> bool {
    let mut known = MEDIA.iter().chain(SOUND).map(|(_, known)| known);
    known.any(|known| *known == mime)
}

fn is_text(head: &[u8]) -> bool {
    let text = match std::str::from_utf8(head) {
        Ok(text) => text,
        // A letter of several bytes may be cut by the end of the head.
        Err(cut) if cut.error_len().is_none() => {
            std::str::from_utf8(&head[..cut.valid_up_to()]).unwrap_or_default()
        }
        Err(_) => return false,
    };
    !text.is_empty()
        && !text
            .chars()
            .any(|letter| letter.is_control() && !"\t\r\n\u{c}".contains(letter))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mime(head: &[u8], declared: &str) -> &'static str {
        Kind::of(head, Some(declared)).mime
    }

    /// FAULTS 59.
    #[test]
    fn the_first_bytes_decide_and_what_could_run_is_no_media() {
        for (head, declared, expected) in [
            (
                b"<html><script>alert(1)</script>".as_slice(),
                "image/png",
                "text/html",
            ),
            (b"<svg xmlns='http://www.w3.org/2000/svg'>", "image/svg+xml", TEXT),
            (b"<?xml version='1.0'?><svg>", "image/png", "text/xml"),
            (b"%PDF-1.7", "image/jpeg", "application/pdf"),
            (b"alert(1)", "image/gif", TEXT),
            (b"\x01\x02\x03", "video/mp4", UNKNOWN),
            (b"", "image/png", UNKNOWN),
        ] {
            assert_eq!(mime(head, declared), expected, "{head:?}");
            assert!(!is_media(expected), "{expected}");
        }
        for (head, declared, expected) in [
            (b"GIF89a\x01\0\x01\0".as_slice(), "text/javascript", "image/gif"),
            (b"\x89PNG\r\n\x1a\n", "text/html", "image/png"),
            (b"OggS\0\0", "audio/ogg", "audio/ogg"),
            (b"RIFF\0\0\0\0WAVEfmt ", "", "audio/wav"),
            (b"\0\0\0\x18ftypisom\0\0", "video/mp4", "video/mp4"),
            (b"\0\0\0\x18ftypisom\0\0", "Audio/MP4", "audio/mp4"),
            (b"\0\0\0\x18ftypisom\0\0", "text/html", "video/mp4"),
            (b"ID3\x03\0", "", "audio/mpeg"),
        ] {
            assert_eq!(mime(head, declared), expected, "{head:?}");
            assert!(is_media(expected), "{expected}");
        }
    }

    #[test]
    fn a_letter_that_the_head_cuts_is_text_still() {
        assert!(is_text("aü".as_bytes()) && is_text(&"aü".as_bytes()[..2]));
        assert!(!is_text(b"a\xff") && !is_text(b"a\0b"));
    }
}
