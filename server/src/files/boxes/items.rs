//! What stands beside the picture in a HEIC or AVIF (ISO/IEC 23008-12): Exif and XMP are items of their own, of which
//! a list says what they are (`iinf`) and another one where they lie (`iloc`). How the picture is turned is a
//! property of it (`irot`), and stays.

use std::collections::BTreeSet;
use std::os::unix::fs::FileExt;

use super::{Boxed, Part, damaged};
use crate::files::FileError;

/// Most bytes of the list of places: some ten thousand items.
const MOST_PLACES_BYTES: u64 = 1_024 * 1_024;
/// Most runs of bytes: some write one for each tile of a picture. A run may take no byte of the list.
const MOST_EXTENTS: usize = 65_536;
/// Items that are no pictures: Exif, and XMP and the like by their MIME type or address.
const TELLING: &[&[u8; 4]] = &[b"Exif", b"mime", b"uri "];

/// Numbers behind each other; [`None`] where they end too early.
struct Numbers<'a>(&'a [u8]);

impl Numbers<'_> {
    /// One of so many bytes, at most 8.
    fn next(&mut self, bytes: usize) -> Option<u64> {
        let (number, rest) = self.0.split_at_checked(bytes)?;
        self.0 = rest;
        Some(number.iter().fold(0, |sum, byte| (sum << 8) | u64::from(*byte)))
    }
}

/// A run of an item's bytes.
struct Extent {
    item: u64,
    place: Place,
    offset: u64,
    length: u64,
}

/// What an extent is a run of.
#[derive(Clone, Copy)]
enum Place {
    File,
    /// The `idat` beside the lists.
    Data,
    Elsewhere,
}

impl Boxed<'_> {
    /// Empties the items that are no pictures.
    pub(super) fn empty_items(&mut self, meta: &Part) -> Result<(), FileError> {
        let parts = self.parts(meta.body + 4, meta.end)?;
        let of = |kind: &[u8; 4]| parts.iter().find(|part| part.kind == *kind);
        let (Some(infos), Some(places)) = (of(b"iinf"), of(b"iloc")) else {
            return Ok(());
        };
        let telling = self.telling_items(infos)?;
        if places.end - places.body > MOST_PLACES_BYTES {
            return Err(damaged("it has more parts than any photo"));
        }
        let length = usize::try_from(places.end - places.body).expect("a mebibyte at most");
        let mut bytes = vec![0; length];
        self.file.read_exact_at(&mut bytes, places.body)?;
        let extents = extents(&bytes).ok_or_else(|| damaged("its list of parts breaks off"))?;
        for extent in extents.iter().filter(|extent| telling.contains(&extent.item)) {
            let (base, end) = match (extent.place, of(b"idat")) {
                (Place::File, _) => (0, self.size),
                (Place::Data, Some(idat)) => (idat.body, idat.end),
                (Place::Data, None) | (Place::Elsewhere, _) => continue,
            };
            let from = base.saturating_add(extent.offset).min(end);
            self.zero(from, from.saturating_add(extent.length).min(end))?;
        }
        Ok(())
    }

    fn telling_items(&mut self, infos: &Part) -> Result<BTreeSet<u64>, FileError> {
        let mut telling = BTreeSet::new();
        if infos.body == infos.end {
            return Ok(telling);
        }
        let [version] = self.read(infos.body)?;
        let count_bytes = if version == 0 { 2 } else { 4 };
        for info in self.parts(infos.body + 4 + count_bytes, infos.end)? {
            if info.kind != *b"infe" || info.body + 12 > info.end {
                continue;
            }
            // Version 2 has a number of 2 bytes, version 3 of 4; before them no item had a type.
            let (id, kind) = match self.read(info.body)? {
                [2] => (info.body + 4, info.body + 8),
                [3] if info.body + 14 <= info.end => (info.body + 4, info.body + 10),
                _ => continue,
            };
            let id_bytes: [u8; 4] = self.read(id)?;
            let id_bytes = &id_bytes[..if kind - id == 4 { 2 } else { 4 }];
            let id = Numbers(id_bytes)
                .next(id_bytes.len())
                .expect("it has as many bytes");
            if TELLING.contains(&&self.read(kind)?) {
                telling.insert(id);
            }
        }
        Ok(telling)
    }
}

/// Reads the body of an `iloc`.
fn extents(body: &[u8]) -> Option<Vec<Extent>> {
    let mut rest = Numbers(body);
    let version = rest.next(1)?;
    rest.next(3)?;
    let sizes = rest.next(2)?;
    let size = |nibble: u32| {
        usize::try_from((sizes >> (4 * nibble)) & 15)
            .ok()
            .filter(|size| *size <= 8)
    };
    let (offset_bytes, length_bytes, base_bytes) = (size(3)?, size(2)?, size(1)?);
    let index_bytes = if version == 0 { 0 } else { size(0)? };
    let id_bytes = if version < 2 { 2 } else { 4 };
    let mut extents = Vec::new();
    for _ in 0..rest.next(id_bytes)? {
        let item = rest.next(id_bytes)?;
        let method = if version == 0 { 0 } else { rest.next(2)? & 15 };
        let source = rest.next(2)?;
        let base = rest.next(base_bytes)?;
        for _ in 0..rest.next(2)? {
            rest.next(index_bytes)?;
            let offset = base.checked_add(rest.next(offset_bytes)?)?;
            let length = rest.next(length_bytes)?;
            if extents.len() == MOST_EXTENTS {
                return None;
            }
            extents.push(Extent {
                item,
                // Other files, and pieces of other items, are not in here.
                place: match (source, method) {
                    (0, 0) => Place::File,
                    (0, 1) => Place::Data,
                    _ => Place::Elsewhere,
                },
                offset,
                length,
            });
        }
    }
    Some(extents)
}
