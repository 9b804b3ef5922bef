//! Where things are kept.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::Secret;

/// The table `store`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoreConfig {
    /// The folder of all databases and files. One process at a time owns it.
    pub data_dir: PathBuf,
    /// Redis of a cluster; it may hold a password. Empty: this node is alone.
    pub redis_url: Secret,
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self {
            data_dir: PathBuf::from("data"),
            redis_url: Secret::default(),
        }
    }
}

impl StoreConfig {
    pub(super) fn check(&self, problems: &mut Vec<String>) {
        if self.data_dir.as_os_str().is_empty() {
            problems.push("`store.data_dir` must name a folder.".to_owned());
        }
        if !self.redis_url.is_empty() {
            problems.push(
                "`store.redis_url` is set, but this version runs as a single node. Remove the setting, and run \
                 one process per data folder."
                    .to_owned(),
            );
        }
    }
}
