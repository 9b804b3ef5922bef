//! A message's row number: the channel's id and the seq in one, so that a channel's messages lie together.

use bmt_shared::position::Seq;

/// Bits of the seq: 68 billion messages a channel, and 134 million channels before it.
pub(super) const SEQ_BITS: u32 = 36;

/// The row number of a message.
///
/// # Panics
/// Where a channel has had more messages than a place can number: at a thousand a second, after two years.
pub(super) fn place(channel: i64, seq: Seq) -> i64 {
    assert!(
        seq >> SEQ_BITS == 0,
        "the seq fits into its part of the row number"
    );
    (channel << SEQ_BITS) | seq.cast_signed()
}

/// The seq of a row.
pub(super) fn seq_of(place: i64) -> Seq {
    (place & ((1 << SEQ_BITS) - 1)).cast_unsigned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_tells_its_seq_and_sorts_by_it_within_a_channel() {
        let top = (1 << SEQ_BITS) - 1;
        for seq in [0, 1, 7, top] {
            assert_eq!(seq_of(place(134_000_000, seq)), seq);
        }
        assert!(place(3, top) < place(4, 0));
        assert!(place(134_000_000, top) > 0);
    }
}
