//! Random numbers from the operating system: names of connections, ids, spreads.

use bmt_shared::id::{ConnectionId, MessageId};

fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
    bytes
}

/// Names a connection with 128 random bits: nobody guesses the name of another's.
pub(super) fn connection_id() -> ConnectionId {
    ConnectionId::new(&format!("{:032x}", u128::from_le_bytes(bytes())))
}

/// Makes the `messageId` of a request that came without one.
pub(super) fn message_id(now_ms: u64) -> MessageId {
    MessageId::mint(now_ms, u64::from_le_bytes(bytes()))
}

/// A number below `end`; 0 where that is 0.
pub(super) fn below(end: u64) -> u64 {
    u64::from_le_bytes(bytes()).checked_rem(end).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn ten_thousand_names_share_nothing() {
        let names: HashSet<_> = (0..10_000).map(|_| connection_id()).collect();
        assert_eq!(names.len(), 10_000);
        assert!(names.iter().all(|name| name.as_str().len() == 32));
        // A counter or a clock would show as a prefix that many share.
        let prefixes: HashSet<_> = names.iter().map(|name| name.as_str()[..6].to_owned()).collect();
        assert!(prefixes.len() > 9_900, "{} prefixes", prefixes.len());
    }
}
