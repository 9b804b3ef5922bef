//! Films and photos as phones make them, box by box, and as nobody should.

use std::io::Write;

use proptest::prelude::*;

use super::*;

/// What must not be told.
const PLACE: &[u8] = b"+52.5200+013.4050/";
const PIXELS: &[u8] = b"pixels and sound";
/// Seconds since 1904, when a film was made.
const MADE: u32 = 3_900_000_000;

fn boxed(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 8).unwrap();
    [&length.to_be_bytes()[..], kind, body].concat()
}

/// A box whose body begins with a version.
fn full(kind: &[u8; 4], version: u8, body: &[u8]) -> Vec<u8> {
    boxed(kind, &[&[version, 0, 0, 0][..], body].concat())
}

fn header(kind: &[u8; 4]) -> Vec<u8> {
    full(
        kind,
        0,
        &[&MADE.to_be_bytes()[..], &MADE.to_be_bytes(), b"the rest"].concat(),
    )
}

fn neutralised(bytes: &[u8]) -> Result<Vec<u8>, FileError> {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    neutralise(&file)?;
    let mut left = vec![0; bytes.len()];
    file.read_exact_at(&mut left, 0).unwrap();
    assert_eq!(file.metadata().unwrap().len(), bytes.len() as u64);
    Ok(left)
}

fn holds(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

fn film() -> Vec<u8> {
    let media = boxed(
        b"mdia",
        &[header(b"mdhd"), boxed(b"minf", b"chunks at 1234")].concat(),
    );
    let track = boxed(b"trak", &[header(b"tkhd"), media, boxed(b"udta", PLACE)].concat());
    let keys = full(b"meta", 0, PLACE);
    let place = boxed(b"udta", &boxed(b"\xa9xyz", PLACE));
    let movie = boxed(b"moov", &[header(b"mvhd"), track, keys, place].concat());
    let xmp = boxed(b"uuid", PLACE);
    [boxed(b"ftyp", b"isom"), movie, xmp, boxed(b"mdat", PIXELS)].concat()
}

/// FAULTS 61.
#[test]
fn a_film_loses_its_place_and_its_times_and_nothing_of_it_moves() {
    let before = film();
    assert!(begin(&before, before.len() as u64) && holds(&before, PLACE));
    let after = neutralised(&before).unwrap();
    assert!(!holds(&after, PLACE) && !holds(&after, &MADE.to_be_bytes()));
    let place = |bytes: &[u8], part: &[u8]| bytes.windows(part.len()).position(|window| window == part);
    for part in [
        PIXELS,
        b"isom",
        b"mvhd",
        b"tkhd",
        b"mdhd",
        b"the rest",
        b"chunks at 1234",
        b"mdat",
    ] {
        assert_eq!(place(&before, part), place(&after, part), "{part:?}");
    }
    for telling in [b"udta", b"meta", b"uuid"] {
        assert!(!holds(&after, telling), "{telling:?}");
    }
    assert_eq!(
        neutralised(&after).unwrap(),
        after,
        "doing it twice changes nothing"
    );
}

#[test]
fn a_film_of_large_boxes_and_one_that_breaks_off_lose_it_too() {
    let mut long = vec![0, 0, 0, 1];
    let movie = film();
    let moov = place_of(&movie, b"moov");
    let body = &movie[moov + 4..];
    long.extend(b"moov");
    long.extend((body.len() as u64 + 16).to_be_bytes());
    long.extend(body);
    for cut in [long.len(), long.len() - 30] {
        let film = [boxed(b"ftyp", b"qt  "), long[..cut].to_vec()].concat();
        assert!(!holds(&neutralised(&film).unwrap(), b"\xa9xyz"));
    }
    // A box without a length goes on to the end.
    let open = [boxed(b"ftyp", b"isom"), [&[0; 4][..], b"udta", PLACE].concat()].concat();
    assert!(!holds(&neutralised(&open).unwrap(), PLACE));
}

fn place_of(bytes: &[u8], part: &[u8]) -> usize {
    bytes
        .windows(part.len())
        .position(|window| window == part)
        .unwrap()
}

/// A photo with Exif in the file and XMP beside the lists; a film of the moment behind it.
fn photo() -> Vec<u8> {
    let info = |version: u8, id: u16, kind: &[u8; 4]| {
        let id = if version == 2 {
            id.to_be_bytes().to_vec()
        } else {
            u32::from(id).to_be_bytes().to_vec()
        };
        full(b"infe", version, &[&id[..], &[0, 0], kind, b"\0"].concat())
    };
    let infos = [info(2, 1, b"hvc1"), info(2, 2, b"Exif"), info(3, 3, b"mime")].concat();
    let infos = full(b"iinf", 0, &[&[0, 3][..], &infos].concat());
    let item = |id: u16, method: u16, offset: u32, length: usize| {
        let length = u32::try_from(length).unwrap();
        [
            &id.to_be_bytes()[..],
            &method.to_be_bytes(),
            &[0, 0, 0, 1],
            &offset.to_be_bytes(),
            &length.to_be_bytes(),
        ]
        .concat()
    };
    let with = |pixels_at: u32| {
        let exif_at = pixels_at + u32::try_from(PIXELS.len()).unwrap();
        let items = [
            item(1, 0, pixels_at, PIXELS.len()),
            item(2, 0, exif_at, PLACE.len()),
            item(3, 1, 0, PLACE.len()),
        ];
        let places = full(b"iloc", 1, &[&[0x44, 0, 0, 3][..], &items.concat()].concat());
        let handler = full(b"hdlr", 0, b"\0\0\0\0pict");
        let turned = boxed(b"iprp", &boxed(b"irot", &[1]));
        let parts = [handler, infos.clone(), turned, places, boxed(b"idat", PLACE)].concat();
        [boxed(b"ftyp", b"heic"), full(b"meta", 0, &parts)].concat()
    };
    let pixels_at = u32::try_from(with(0).len() + 8).unwrap();
    let data = boxed(b"mdat", &[PIXELS, PLACE].concat());
    [with(pixels_at), data, boxed(b"mpvd", &film())].concat()
}

/// FAULTS 61.
#[test]
fn a_photo_in_boxes_loses_its_exif_its_xmp_and_the_film_behind_it_and_stays_turned() {
    let before = photo();
    let after = neutralised(&before).unwrap();
    assert!(!holds(&after, PLACE) && !holds(&after, b"mpvd"));
    let begin = place_of(&before, PIXELS) + PIXELS.len();
    let head = place_of(&before, b"idat") + 4;
    assert_eq!(after[..head], before[..head], "lists and properties stay");
    assert_eq!(
        after[head + PLACE.len()..begin],
        before[head + PLACE.len()..begin],
        "the picture stays"
    );
}

#[test]
fn what_is_no_film_is_not_taken_for_one() {
    for text in [&b"I'm free of ..."[..], b"The moovies", b"", b"\0\0\0"] {
        assert!(!begin(text, text.len() as u64), "{text:?}");
    }
    assert!(begin(&boxed(b"moov", b""), 8));
    assert!(
        !begin(&boxed(b"ftyp", b"crx \0\0\0\x01"), 16),
        "a raw photo is kept whole"
    );
}

#[test]
fn boxes_without_end_and_parts_on_top_of_each_other_are_refused() {
    let crumbs = boxed(b"free", b"").repeat(MOST_BOXES as usize + 1);
    assert!(matches!(neutralised(&crumbs), Err(FileError::Damaged(_))));
    let mut photo = photo();
    // The XMP is said to be as long as the file, many times.
    let places = place_of(&photo, b"iloc") + 4 + 8;
    for item in 0..3 {
        let at = places + item * 16;
        photo[at..at + 4].copy_from_slice(&[0, 2, 0, 0]);
        photo[at + 8..at + 12].copy_from_slice(&[0; 4]);
        photo[at + 12..at + 16].copy_from_slice(&[0x7f; 4]);
    }
    assert!(matches!(neutralised(&photo), Err(FileError::Damaged(_))));
}

proptest! {
    #[test]
    fn any_bytes_are_taken_or_refused(at in 0_usize..2_000, byte in any::<u8>(), tail in any::<Vec<u8>>()) {
        for mut bytes in [film(), photo()] {
            let at = at % bytes.len();
            bytes[at] = byte;
            let _ = neutralised(&bytes);
        }
        let _ = neutralised(&tail);
    }
}
