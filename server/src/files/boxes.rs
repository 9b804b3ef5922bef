//! Films, sound and photos that are made of boxes (ISO/IEC 14496-12: MP4, QuickTime, HEIC, AVIF) without what tells
//! where and when they were taken, and with what (FAULTS 61).
//!
//! Nothing is moved: other boxes point to places in the file. A box that must not tell becomes a `free` one of the
//! same length, full of zeros; the times in headers become zero, which is how they say that they do not know. Sound
//! and pictures stay as they were, to the bit. What stays, too, is what a camera records all the time in a track of
//! its own: to a server that is a film like any other.

mod items;

#[cfg(test)]
mod tests;

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use super::FileError;

/// Boxes that are looked at: an hour of film in pieces of a second has some ten thousand.
const MOST_BOXES: u32 = 100_000;
/// How deep boxes are looked into: `moov`, `trak`, `mdia`.
const DEEPEST: u32 = 4;
/// Zeros that are written at once.
const ZEROS: [u8; 16 * 1_024] = [0; 16 * 1_024];

/// What a camera's raw photo says it is (CR3): no program can develop it without what it says of the camera.
const RAW: &[u8] = b"crx ";
/// Boxes at the top that make the film or the photo. All others go.
const KEPT: &[&[u8; 4]] = &[
    b"ftyp", b"styp", b"moov", b"moof", b"mdat", b"imda", b"free", b"skip", b"wide", b"pnot", b"mfra",
    b"sidx", b"ssix", b"pdin", b"prft",
];
/// Boxes within that say something about the film. A `uuid` is what a program says in its own words, such as XMP.
const TELLING: &[&[u8; 4]] = &[b"udta", b"meta", b"uuid"];
/// Boxes within that hold others.
const HOLDING: &[&[u8; 4]] = &[b"trak", b"traf", b"mdia"];
/// Headers that begin with when something was made and when it was changed.
const TIMED: &[&[u8; 4]] = &[b"mvhd", b"tkhd", b"mdhd"];

/// Whether a file of so many bytes that begins so is made of boxes.
pub(super) fn begin(head: &[u8], size: u64) -> bool {
    let Some((length, kind)) = head.split_first_chunk::<4>() else {
        return false;
    };
    match kind.first_chunk::<4>() {
        Some(b"ftyp") => head.get(8..12) != Some(RAW),
        // Films of before there was `ftyp`, and no text that happens to have these letters there.
        Some(b"moov" | b"mdat" | b"wide" | b"pnot") => {
            let length = u64::from(u32::from_be_bytes(*length));
            length <= size && (length >= 8 || length == 1)
        }
        _ => false,
    }
}

/// Takes out what must not be told.
///
/// # Errors
/// Where it has more parts than any film, or the disk refuses.
pub(super) fn neutralise(file: &File) -> Result<(), FileError> {
    let size = file.metadata()?.len();
    let mut boxed = Boxed {
        file,
        size,
        seen: 0,
        zeroed: 0,
    };
    for part in boxed.parts(0, size)? {
        match &part.kind {
            b"moov" | b"moof" => boxed.look_into(&part, 1)?,
            b"meta" if boxed.is_picture(&part)? => boxed.empty_items(&part)?,
            kind if KEPT.contains(&kind) => {}
            _ => boxed.take_out(&part)?,
        }
    }
    Ok(())
}

struct Boxed<'a> {
    file: &'a File,
    size: u64,
    seen: u32,
    zeroed: u64,
}

/// A box: where it begins, where its body does, and where it ends.
struct Part {
    kind: [u8; 4],
    begin: u64,
    body: u64,
    end: u64,
}

impl Boxed<'_> {
    /// The boxes in a row. One that says it is longer than what is around it ends there; behind what is none, nobody
    /// finds another.
    fn parts(&mut self, from: u64, to: u64) -> Result<Vec<Part>, FileError> {
        let mut parts = Vec::new();
        let mut begin = from;
        while begin.saturating_add(8) <= to {
            self.seen += 1;
            if self.seen > MOST_BOXES {
                return Err(damaged("it has more parts than any film"));
            }
            let head: [u8; 8] = self.read(begin)?;
            let [a, b, c, d, kind @ ..] = head;
            let (length, body) = match u32::from_be_bytes([a, b, c, d]) {
                0 => (to - begin, begin + 8),
                1 if begin.saturating_add(16) <= to => {
                    (u64::from_be_bytes(self.read(begin + 8)?), begin + 16)
                }
                length => (u64::from(length), begin + 8),
            };
            let end = begin.saturating_add(length).min(to);
            if end < body {
                break;
            }
            parts.push(Part {
                kind,
                begin,
                body,
                end,
            });
            begin = end;
        }
        Ok(parts)
    }

    fn look_into(&mut self, part: &Part, depth: u32) -> Result<(), FileError> {
        for part in self.parts(part.body, part.end)? {
            match &part.kind {
                kind if TELLING.contains(&kind) => self.take_out(&part)?,
                kind if TIMED.contains(&kind) => self.forget_times(&part)?,
                kind if HOLDING.contains(&kind) && depth < DEEPEST => self.look_into(&part, depth + 1)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn take_out(&mut self, part: &Part) -> Result<(), FileError> {
        self.file.write_all_at(b"free", part.begin + 4)?;
        self.zero(part.body, part.end)
    }

    /// Two times behind the version and flags: of 4 bytes each, or of 8 in version 1.
    fn forget_times(&mut self, part: &Part) -> Result<(), FileError> {
        if part.body == part.end {
            return Ok(());
        }
        let [version] = self.read(part.body)?;
        let times = part.body + 4;
        let bytes = if version == 1 { 16 } else { 8 };
        self.zero(times, part.end.min(times + bytes))
    }

    /// Whether a `meta` holds pictures, and not what is said of a film.
    fn is_picture(&mut self, meta: &Part) -> Result<bool, FileError> {
        for part in self.parts(meta.body + 4, meta.end)? {
            if part.kind == *b"hdlr" && part.body + 12 <= part.end {
                return Ok(self.read::<4>(part.body + 8)? == *b"pict");
            }
        }
        Ok(false)
    }

    /// Overwrites. What points to the same place again and again is no photo.
    fn zero(&mut self, from: u64, to: u64) -> Result<(), FileError> {
        let (mut at, to) = (from, to.min(self.size));
        self.zeroed = self.zeroed.saturating_add(to.saturating_sub(from));
        if self.zeroed > self.size {
            return Err(damaged("its parts lie on top of each other"));
        }
        while at < to {
            let bytes = usize::try_from(to - at).unwrap_or(usize::MAX).min(ZEROS.len());
            self.file.write_all_at(&ZEROS[..bytes], at)?;
            at += bytes as u64;
        }
        Ok(())
    }

    fn read<const N: usize>(&self, at: u64) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        self.file.read_exact_at(&mut bytes, at)?;
        Ok(bytes)
    }
}

fn damaged(what: &str) -> FileError {
    FileError::Damaged(what.to_owned())
}
