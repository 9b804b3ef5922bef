//! Contents that are to go out of a channel's messages, because their author is erased (SPEC §8).

use std::sync::Arc;

use bmt_server_core::channel::Traced;
use bmt_shared::channel::ChannelName;
use bmt_shared::position::Seq;

/// Which messages lose what is in them of which user.
#[derive(Clone, Debug)]
pub struct Erasure {
    /// Whose traces go.
    pub traced: Arc<Traced>,
    /// The channel.
    pub topic: ChannelName,
    /// The messages, at most [`BATCH_ROWS`](super::BATCH_ROWS). One that is not kept any more is passed over.
    pub seqs: Vec<Seq>,
    /// When that is, ms since the Unix epoch.
    pub now_ms: u64,
}
