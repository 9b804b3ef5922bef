//! Several envelopes in one frame, where the client asked for `batch=1` (SPEC §7).
//!
//! A frame costs the client an event, and a page a turn of its loop. What is due in one write is due at once, so it
//! may as well come in one: a JSON array. Alone, an envelope comes as it would without.

use bmt_shared::codec::raw::MAX_BATCH;
use tokio::io::{AsyncRead, AsyncWrite};

use super::super::frame;
use super::wire::Wire;

/// The envelopes that are due. Empty between two writes, and then it holds no memory.
#[derive(Debug, Default)]
pub(super) struct Batch {
    /// `[` and the envelopes, with commas between them.
    array: Vec<u8>,
    envelopes: usize,
}

impl Batch {
    /// Adds the envelope of a frame.
    pub(super) fn push<S: AsyncRead + AsyncWrite + Unpin>(&mut self, frame: &[u8], wire: &mut Wire<S>) {
        self.push_text(frame::content(frame), wire);
    }

    /// Adds an envelope; as many as a frame may hold are staged.
    pub(super) fn push_text<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        envelope: &[u8],
        wire: &mut Wire<S>,
    ) {
        self.array.push(if self.envelopes == 0 { b'[' } else { b',' });
        self.array.extend_from_slice(envelope);
        self.envelopes += 1;
        if self.envelopes == MAX_BATCH {
            self.flush(wire);
        }
    }

    /// Bytes that wait.
    pub(super) fn len(&self) -> usize {
        self.array.len()
    }

    /// Stages what there is as one frame.
    pub(super) fn flush<S: AsyncRead + AsyncWrite + Unpin>(&mut self, wire: &mut Wire<S>) {
        let Self { mut array, envelopes } = std::mem::take(self);
        match envelopes {
            0 => {}
            1 => wire.stage_content(&array[1..]),
            _ => {
                array.push(b']');
                wire.stage_content(&array);
            }
        }
    }
}
