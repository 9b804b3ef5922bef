//! Images: how large they are, what is shown instead of them in a list, and what they must not tell (FAULTS 61).
//!
//! An image is looked into before anything of it is unpacked: what says that it has more pixels than are taken is
//! refused by its header. Everything here blocks and takes memory; [`super::Files`] runs two of it at a time.

mod plain;

use std::io::Cursor;

use bytes::Bytes;
use image::codecs::jpeg::JpegEncoder;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits};

/// Bytes in memory for each pixel that is taken: red, green, blue, transparency.
const PIXEL_BYTES: u64 = 4;
/// What a decoder may take besides the pixels themselves.
const DECODER_BYTES: u64 = 64 * 1_024 * 1_024;
/// Of thumbnails: no difference is seen at their size.
const JPEG_QUALITY: u8 = 80;

/// An image that is fit to be kept.
#[derive(Debug)]
pub(super) struct Picture {
    /// The same pixels without the rest.
    pub(super) bytes: Vec<u8>,
    /// As it is shown.
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) thumbnail: Option<Thumbnail>,
}

#[derive(Debug)]
pub(super) struct Thumbnail {
    pub(super) bytes: Vec<u8>,
    pub(super) mime: &'static str,
}

/// Why an image is not kept.
#[derive(Debug)]
pub(super) enum Unfit {
    /// It is too large: its width and height.
    TooLarge(u32, u32),
    /// It cannot be shown; what the decoder says.
    Damaged(String),
}

impl From<ImageError> for Unfit {
    fn from(error: ImageError) -> Self {
        Self::Damaged(error.to_string())
    }
}

impl Picture {
    /// Reads an image of at most `most_pixels`, and makes a thumbnail of this longer side where the image is larger.
    pub(super) fn of(bytes: &Bytes, format: ImageFormat, most_pixels: u64, side: u32) -> Result<Self, Unfit> {
        let most_bytes = most_pixels.saturating_mul(PIXEL_BYTES);
        let mut limits = Limits::no_limits();
        limits.max_alloc = Some(most_bytes.saturating_add(DECODER_BYTES));
        let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
        reader.limits(limits);
        let mut decoder = reader.into_decoder()?;
        let (width, height) = decoder.dimensions();
        // Images of 16 bits a colour need twice the memory.
        if u64::from(width) * u64::from(height) > most_pixels || decoder.total_bytes() > most_bytes {
            return Err(Unfit::TooLarge(width, height));
        }
        // What cannot be read there is taken out with the rest.
        let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
        let mut shown = DynamicImage::from_decoder(decoder)?;
        let plain = plain::plain(bytes.clone(), format, orientation).map_err(Unfit::Damaged)?;
        let is_larger = side > 0 && width.max(height) > side;
        let thumbnail = is_larger.then(|| {
            let mut small = shown.thumbnail(side, side);
            shown = DynamicImage::default();
            small.apply_orientation(orientation);
            Thumbnail::of(&small)
        });
        let is_turned = matches!(
            orientation,
            Orientation::Rotate90
                | Orientation::Rotate270
                | Orientation::Rotate90FlipH
                | Orientation::Rotate270FlipH
        );
        Ok(Self {
            bytes: plain,
            width: if is_turned { height } else { width },
            height: if is_turned { width } else { height },
            thumbnail: thumbnail.transpose()?,
        })
    }
}

impl Thumbnail {
    fn of(small: &DynamicImage) -> Result<Self, ImageError> {
        let mut bytes = Vec::new();
        if small.color().has_alpha() {
            let small = DynamicImage::from(small.to_rgba8());
            small.write_to(&mut Cursor::new(&mut bytes), ImageFormat::Png)?;
            let mime = "image/png";
            return Ok(Self { bytes, mime });
        }
        let encoder = JpegEncoder::new_with_quality(&mut bytes, JPEG_QUALITY);
        small.to_rgb8().write_with_encoder(encoder)?;
        let mime = "image/jpeg";
        Ok(Self { bytes, mime })
    }
}

#[cfg(test)]
mod tests;
