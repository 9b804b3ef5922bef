//! Images as phones and programs make them, and as nobody should.

use image::{ImageBuffer, Rgb, RgbImage, Rgba, RgbaImage};
use img_parts::jpeg::{Jpeg, JpegSegment, markers};
use img_parts::png::{Png, PngChunk};
use img_parts::webp::WebP;
use img_parts::{ImageEXIF, ImageICC};
use proptest::prelude::*;

use super::*;

const PIXELS: u64 = 1_000_000;
const SIDE: u32 = 64;
/// What a photo must not tell.
const PLACE: &[u8] = b"GPS 52.5200 N 13.4050 E";

fn photo(width: u32, height: u32) -> DynamicImage {
    let colour = |x: u32, y: u32| Rgb([(x * 3) as u8, (y * 5) as u8, (x ^ y) as u8]);
    RgbImage::from_fn(width, height, colour).into()
}

fn written(image: &DynamicImage, format: ImageFormat) -> Bytes {
    let mut bytes = Vec::new();
    image.write_to(&mut Cursor::new(&mut bytes), format).unwrap();
    bytes.into()
}

/// Exif of a turned photo with a place in it.
fn exif(turned: u8) -> Bytes {
    let mut exif = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".to_vec();
    exif.extend([turned, 0, 0, 0, 0, 0, 0, 0]);
    exif.extend(PLACE);
    exif.into()
}

fn told(bytes: &[u8]) -> bool {
    bytes.windows(PLACE.len()).any(|part| part == PLACE)
}

fn picture(bytes: &Bytes, format: ImageFormat) -> Picture {
    assert!(told(bytes), "the test puts a place in");
    let picture = Picture::of(bytes, format, PIXELS, SIDE).unwrap();
    assert!(!told(&picture.bytes), "{format:?} tells where it was made");
    let before = image::load_from_memory_with_format(bytes, format).unwrap();
    let after = image::load_from_memory_with_format(&picture.bytes, format).unwrap();
    assert_eq!(before, after, "{format:?}: its pixels changed");
    picture
}

fn turned(bytes: &[u8], format: ImageFormat) -> Orientation {
    let reader = ImageReader::with_format(Cursor::new(bytes), format);
    reader.into_decoder().unwrap().orientation().unwrap()
}

/// FAULTS 61.
#[test]
fn a_photo_loses_its_place_and_stays_turned_as_it_was() {
    let mut jpeg = Jpeg::from_bytes(written(&photo(200, 100), ImageFormat::Jpeg)).unwrap();
    jpeg.set_icc_profile(Some(Bytes::from_static(b"colours")));
    jpeg.set_exif(Some(exif(6)));
    let xmp = [b"http://ns.adobe.com/xap/1.0/\0", PLACE].concat();
    for (marker, contents) in [
        (markers::APP1, Bytes::from(xmp)),
        (markers::APP13, Bytes::from_static(PLACE)),
        (markers::COM, Bytes::from_static(PLACE)),
    ] {
        let segment = JpegSegment::new_with_contents(marker, contents);
        jpeg.segments_mut().insert(1, segment);
    }
    let mut bytes = jpeg.encoder().bytes().to_vec();
    // The film of a moving photo.
    bytes.extend(PLACE);
    let picture = picture(&bytes.into(), ImageFormat::Jpeg);
    assert_eq!((picture.width, picture.height), (100, 200));
    assert_eq!(turned(&picture.bytes, ImageFormat::Jpeg), Orientation::Rotate90);
    assert!(picture.bytes.ends_with(&[0xff, 0xd9]));
    let plain = Jpeg::from_bytes(picture.bytes.into()).unwrap();
    assert_eq!(plain.icc_profile().unwrap(), "colours");

    let thumbnail = picture.thumbnail.unwrap();
    assert_eq!(thumbnail.mime, "image/jpeg");
    let small = image::load_from_memory(&thumbnail.bytes).unwrap();
    assert_eq!((small.width(), small.height()), (32, 64), "it is turned itself");
    assert_eq!(
        turned(&thumbnail.bytes, ImageFormat::Jpeg),
        Orientation::NoTransforms
    );
}

#[test]
fn other_images_lose_what_stands_beside_their_pixels_too() {
    let mut png = Png::from_bytes(written(&photo(80, 40), ImageFormat::Png)).unwrap();
    png.set_exif(Some(exif(3)));
    let text = PngChunk::new(*b"tEXt", Bytes::from([b"Comment\0", PLACE].concat()));
    png.chunks_mut().insert(1, text);
    let mut bytes = png.encoder().bytes().to_vec();
    bytes.extend(PLACE);
    let png = picture(&bytes.into(), ImageFormat::Png);
    assert_eq!(turned(&png.bytes, ImageFormat::Png), Orientation::Rotate180);
    assert_eq!((png.width, png.height), (80, 40));

    for turned_as in [1, 8] {
        let mut webp = WebP::from_bytes(written(&photo(80, 40), ImageFormat::WebP)).unwrap();
        webp.set_exif(Some(exif(turned_as)));
        let webp = picture(&webp.encoder().bytes(), ImageFormat::WebP);
        let expected = Orientation::from_exif(turned_as).unwrap();
        assert_eq!(turned(&webp.bytes, ImageFormat::WebP), expected);
    }

    let gif = written(&photo(8, 4), ImageFormat::Gif);
    let mut commented = gif[..gif.len() - 1].to_vec();
    let length = PLACE.len() as u8;
    for opening in [
        [b"\x21\xfe".as_slice(), &[length], PLACE].concat(),
        [b"\x21\xff\x0bXMP DataXMP".as_slice(), &[length], PLACE].concat(),
    ] {
        commented.extend(opening);
        commented.push(0);
    }
    commented.push(0x3b);
    commented.extend(PLACE);
    let gif_again = picture(&commented.into(), ImageFormat::Gif);
    assert_eq!(gif_again.bytes, gif, "nothing else is taken");
    assert!(gif_again.thumbnail.is_none(), "it is small already");
}

#[test]
fn what_can_be_seen_through_keeps_that_in_its_thumbnail() {
    let glass: RgbaImage = ImageBuffer::from_pixel(300, 10, Rgba([9, 9, 9, 100]));
    let bytes = written(&glass.into(), ImageFormat::Png);
    let picture = Picture::of(&bytes, ImageFormat::Png, PIXELS, SIDE).unwrap();
    let thumbnail = picture.thumbnail.unwrap();
    assert_eq!(thumbnail.mime, "image/png");
    let small = image::load_from_memory(&thumbnail.bytes).unwrap().to_rgba8();
    assert_eq!((small.width(), small.get_pixel(0, 0)[3]), (64, 100));
    assert_eq!(picture.bytes, bytes);
}

/// FAULTS 61.
#[test]
fn an_image_that_says_it_is_huge_is_refused_by_its_header() {
    let small = Png::from_bytes(written(&photo(1, 1), ImageFormat::Png)).unwrap();
    let huge = |width: u32, height: u32, bits: u8, colours: u8| {
        let mut png = small.clone();
        let header = [
            &width.to_be_bytes(),
            &height.to_be_bytes(),
            &[bits, colours, 0, 0][..],
            &[0],
        ]
        .concat();
        png.chunks_mut()[0] = PngChunk::new(*b"IHDR", header.into());
        let refused = Picture::of(&png.encoder().bytes(), ImageFormat::Png, PIXELS, SIDE);
        matches!(refused, Err(Unfit::TooLarge(w, h)) if (w, h) == (width, height))
    };
    assert!(huge(50_000, 50_000, 8, 2) && huge(1_001, 1_000, 8, 2));
    assert!(!huge(1_000, 1_000, 8, 6), "that many are taken");
    assert!(huge(1_000, 1_000, 16, 6), "twice the memory");
    let mut gif = written(&photo(1, 1), ImageFormat::Gif).to_vec();
    gif[6..10].fill(0xff);
    let refused = Picture::of(&gif.into(), ImageFormat::Gif, PIXELS, SIDE);
    assert!(matches!(refused, Err(Unfit::TooLarge(0xffff, 0xffff))));
}

/// FAULTS 61.
#[test]
fn a_photo_that_breaks_off_is_refused_wherever_that_is() {
    for format in [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::WebP] {
        let whole = written(&photo(64, 64), format);
        for end in (0..whole.len()).step_by(7).chain([whole.len() - 1]) {
            let refused = Picture::of(&whole.slice(..end), format, PIXELS, SIDE);
            assert!(
                matches!(refused, Err(Unfit::Damaged(_))),
                "{format:?} until {end}"
            );
        }
    }
}

proptest! {
    #[test]
    fn any_bytes_are_an_image_or_refused(
        at in 0_usize..3_000, byte in any::<u8>(), which in 0_usize..4, tail in any::<Vec<u8>>(),
    ) {
        let formats = [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::WebP, ImageFormat::Gif];
        let mut bytes = written(&photo(30, 20), formats[which]).to_vec();
        let at = at % bytes.len();
        bytes[at] = byte;
        for bytes in [bytes, tail] {
            let _ = Picture::of(&bytes.into(), formats[which], PIXELS, SIDE);
        }
    }
}
