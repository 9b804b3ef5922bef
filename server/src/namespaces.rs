//! The namespaces as they are now: one table that stores and channels look at. A reload puts another in its place;
//! none ever vanishes from it, and none changes its store (`config::Config::followed_by`).

use std::sync::Arc;

use arc_swap::ArcSwap;
use bmt_shared::namespace::Namespaces;

/// See the [module](self).
pub type CurrentNamespaces = Arc<ArcSwap<Namespaces>>;
