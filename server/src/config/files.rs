//! What people may upload, and how much room it may take (SPEC §8).

use serde::{Deserialize, Serialize};

/// The table `files`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FilesConfig {
    /// Whether guests may upload too.
    pub guests: bool,
    /// Bytes of one file; never 0.
    pub max_bytes: u64,
    /// Bytes of all files of one user.
    pub user_bytes: u64,
    /// Files of one user.
    pub user_files: u64,
    /// Bytes of all files together.
    pub total_bytes: u64,
    /// Uploads are refused where fewer bytes than this would stay free on the disk: messages need some too.
    pub free_bytes: u64,
    /// Uploads of this node at a time; never 0.
    pub uploads: u64,
    /// Uploads of one user at a time; never 0.
    pub uploads_per_user: u64,
    /// Width times height of the largest image that is taken; never 0. Making its thumbnail takes 4 bytes of memory
    /// for each, and two are made at a time.
    pub image_pixels: u64,
    /// The longer side of a thumbnail; 0 makes none.
    pub thumbnail_side: u64,
    /// How long the addresses of files hold, s; 0 is for ever. Messages that name a file keep the address they were
    /// sent with.
    pub link_ttl_s: u64,
}

impl Default for FilesConfig {
    fn default() -> Self {
        Self {
            guests: false,
            max_bytes: 25 * 1_024 * 1_024,
            user_bytes: 1_024 * 1_024 * 1_024,
            user_files: 10_000,
            total_bytes: 0,
            free_bytes: 512 * 1_024 * 1_024,
            uploads: 16,
            uploads_per_user: 4,
            image_pixels: 40_000_000,
            thumbnail_side: 320,
            link_ttl_s: 0,
        }
    }
}

/// An image this large would take 800 MB for each thumbnail in the making.
const IMAGE_PIXELS_MAX: u64 = 200_000_000;
/// A thumbnail above this is none.
const THUMBNAIL_SIDE_MAX: u64 = 2_048;

impl FilesConfig {
    pub(super) fn check(&self, problems: &mut Vec<String>) {
        let needed = [
            ("max_bytes", self.max_bytes),
            ("uploads", self.uploads),
            ("uploads_per_user", self.uploads_per_user),
            ("image_pixels", self.image_pixels),
        ];
        for (name, value) in needed {
            if value == 0 {
                problems.push(format!(
                    "`files.{name}` must not be 0: without it uploads would take what the server has."
                ));
            }
        }
        for (name, value, most) in [
            ("image_pixels", self.image_pixels, IMAGE_PIXELS_MAX),
            ("thumbnail_side", self.thumbnail_side, THUMBNAIL_SIDE_MAX),
        ] {
            if value > most {
                problems.push(format!("`files.{name}` must be {most} at most."));
            }
        }
    }
}
