//! An image without what stands beside its pixels: where and when it was taken and with what, who edited it, and
//! whatever hides behind its end. The pixels stay as they were, to the bit, and so do their colours and how they are
//! turned.

use bytes::Bytes;
use image::ImageFormat;
use image::metadata::Orientation;
use img_parts::jpeg::{Jpeg, markers};
use img_parts::png::Png;
use img_parts::webp::{
    CHUNK_ALPH, CHUNK_ANIM, CHUNK_ANMF, CHUNK_ICCP, CHUNK_VP8, CHUNK_VP8L, CHUNK_VP8X, WebP,
};
use img_parts::{ImageEXIF, ImageICC};

/// Chunks of a PNG that make its picture: pixels, colours, transparency, size, animation.
const PNG_KEPT: &[&[u8; 4]] = &[
    b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"cHRM", b"gAMA", b"iCCP", b"sBIT", b"sRGB", b"cICP",
    b"mDCV", b"cLLI", b"bKGD", b"pHYs", b"acTL", b"fcTL", b"fdAT",
];
const WEBP_KEPT: &[[u8; 4]] = &[
    CHUNK_VP8X, CHUNK_VP8, CHUNK_VP8L, CHUNK_ALPH, CHUNK_ANIM, CHUNK_ANMF, CHUNK_ICCP,
];
/// The bit of a WebP's `VP8X` that says that there is XMP.
const WEBP_XMP: u8 = 0b0000_0100;
/// Names of GIF extensions that say how often an animation plays.
const GIF_LOOPS: &[&[u8]] = &[b"NETSCAPE2.0", b"ANIMEXTS1.0"];

/// # Errors
/// What is wrong with its parts.
pub(super) fn plain(bytes: Bytes, format: ImageFormat, turned: Orientation) -> Result<Vec<u8>, String> {
    let exif = (turned != Orientation::NoTransforms).then(|| orientation_alone(turned));
    let told = |error: img_parts::Error| error.to_string();
    match format {
        ImageFormat::Jpeg => {
            let jpeg = Jpeg::from_bytes(bytes.slice(..jpeg_end(&bytes)?)).map_err(told)?;
            Ok(plain_jpeg(jpeg, exif))
        }
        ImageFormat::Png => {
            let mut png = Png::from_bytes(bytes).map_err(told)?;
            png.chunks_mut().retain(|chunk| PNG_KEPT.contains(&&chunk.kind()));
            png.set_exif(exif);
            Ok(png.encoder().bytes().into())
        }
        ImageFormat::WebP => {
            let mut webp = WebP::from_bytes(bytes).map_err(told)?;
            webp.chunks_mut().retain(|chunk| WEBP_KEPT.contains(&chunk.id()));
            webp.set_exif(exif);
            Ok(without_xmp_flag(webp.encoder().bytes().into()))
        }
        ImageFormat::Gif => plain_gif(&bytes).ok_or_else(|| "its blocks end too early".to_owned()),
        _ => Err("it is of no known format".to_owned()),
    }
}

fn plain_jpeg(mut jpeg: Jpeg, exif: Option<Bytes>) -> Vec<u8> {
    let colours = jpeg.icc_profile();
    jpeg.segments_mut().retain(|segment| match segment.marker() {
        markers::COM => false,
        // JFIF's density; whether the colours are YCCK. All else between APP0 and APP15 is about the image.
        markers::APP0 => segment.contents().starts_with(b"JFIF\0"),
        markers::APP14 => segment.contents().starts_with(b"Adobe"),
        marker => !(markers::APP0..=markers::APP15).contains(&marker),
    });
    jpeg.set_exif(exif);
    jpeg.set_icc_profile(colours);
    jpeg.encoder().bytes().into()
}

/// Where a JPEG ends: behind it phones put the film that belongs to a photo, with its own place and time.
fn jpeg_end(bytes: &[u8]) -> Result<usize, String> {
    let broken_off = || "it breaks off before its end".to_owned();
    let mut at = 2;
    loop {
        at += bytes
            .get(at..)
            .and_then(|rest| memchr::memchr(0xff, rest))
            .ok_or_else(broken_off)?;
        let marker = *bytes.get(at + 1).ok_or_else(broken_off)?;
        at += match marker {
            markers::EOI => return Ok(at + 2),
            // A byte of the pixels, or a marker without a length; `0xff` fills.
            0x00 | 0x01 | 0xd0..=0xd8 => 2,
            0xff => 1,
            _ => {
                let length = bytes.get(at + 2..at + 4).ok_or_else(broken_off)?;
                2 + usize::from(u16::from_be_bytes([length[0], length[1]]))
            }
        };
    }
}

/// The library keeps the flag of what was taken out.
fn without_xmp_flag(mut bytes: Vec<u8>) -> Vec<u8> {
    // `RIFF`, a size, `WEBP`, then the first chunk's name and size.
    if bytes.get(12..16) == Some(&CHUNK_VP8X)
        && let Some(flags) = bytes.get_mut(20)
    {
        *flags &= !WEBP_XMP;
    }
    bytes
}

/// Exif that says how an image is turned and nothing more (TIFF 6.0: a header and one entry).
fn orientation_alone(turned: Orientation) -> Bytes {
    const SHORT: u8 = 3;
    const ORIENTATION: [u8; 2] = [0x12, 0x01];
    let mut exif = b"II*\0\x08\0\0\0\x01\0".to_vec();
    exif.extend(ORIENTATION);
    exif.extend([SHORT, 0, 1, 0, 0, 0, turned.to_exif(), 0, 0, 0]);
    exif.extend([0; 4]);
    exif.into()
}

/// Goes through the blocks (GIF89a) and leaves out comments and what programs add.
fn plain_gif(bytes: &[u8]) -> Option<Vec<u8>> {
    const HEADER: usize = 13;
    let table = |flags: u8| match flags & 0x80 {
        0 => 0,
        _ => 3 << ((flags & 7) + 1),
    };
    let mut at = HEADER + table(*bytes.get(10)?);
    let mut plain = bytes.get(..at)?.to_vec();
    loop {
        let begin = at;
        let is_kept = match bytes.get(at) {
            // Some writers forget the end.
            None | Some(0x3b) => break,
            Some(0x2c) => {
                at += 10 + table(*bytes.get(at + 9)?) + 1;
                true
            }
            Some(0x21) => {
                let label = *bytes.get(at + 1)?;
                at += 2;
                match label {
                    0xf9 | 0x01 => true,
                    0xff => GIF_LOOPS.contains(&bytes.get(at + 1..at + 12)?),
                    _ => false,
                }
            }
            Some(_) => return None,
        };
        at = behind_blocks(bytes, at)?;
        if is_kept {
            plain.extend(&bytes[begin..at]);
        }
    }
    plain.push(0x3b);
    Some(plain)
}

/// Where a row of blocks ends that each tell their length.
fn behind_blocks(bytes: &[u8], mut at: usize) -> Option<usize> {
    loop {
        let length = usize::from(*bytes.get(at)?);
        at += 1 + length;
        if length == 0 {
            return Some(at);
        }
    }
}
