//! All channels there are: those in use, and those that only their stores know.

use std::collections::BTreeMap;

use tokio::sync::oneshot;

use super::survey::Wanted;
use super::{ChannelDetail, Shards};
use crate::history::{Kind, Known, Listing, StoreFailure};

impl Shards {
    /// Channels in the order of their names. Of those in use the figures are the newest there are.
    ///
    /// # Errors
    /// Where a store cannot be read.
    pub async fn directory(&self, listing: Listing) -> Result<Vec<ChannelDetail>, StoreFailure> {
        let limit = listing.limit;
        // Asked before they are waited for: the stores answer while the shards do.
        let asked = Kind::ALL.map(|kind| {
            let (answer, answered) = oneshot::channel();
            // Whoever asked may be gone.
            let done = Box::new(move |known| drop(answer.send(known)));
            self.0.world.histories.of(kind).list(listing.clone(), done);
            answered
        });
        let in_use = self.survey(Wanted::Listed(listing), limit).await.details;
        let mut all = BTreeMap::new();
        for answered in asked {
            // A store that is closed has answered before it was.
            let known = answered.await.unwrap_or_else(|_| Ok(Vec::new()))?;
            all.extend(known.into_iter().map(|known| (known.name.clone(), known.into())));
        }
        all.extend(in_use.into_iter().map(|detail| (detail.name.clone(), detail)));
        Ok(all.into_values().take(limit).collect())
    }
}

impl From<Known> for ChannelDetail {
    fn from(known: Known) -> Self {
        Self {
            name: known.name,
            subscribers: 0,
            message_count: known.messages,
            created_at: known.created_ms.unwrap_or_default(),
            seq: known.top,
        }
    }
}
