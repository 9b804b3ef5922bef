//! Randomness for message ids: from the operating system, fetched for many ids at once.

use crate::random;

const BUFFER: usize = 1_024;
const NUMBER: usize = size_of::<u128>();

/// A buffered source of random numbers, owned by one shard.
pub(super) struct Random {
    buffer: [u8; BUFFER],
    used: usize,
}

impl Random {
    pub(super) fn new() -> Self {
        Self {
            buffer: [0; BUFFER],
            used: BUFFER,
        }
    }

    pub(super) fn number(&mut self) -> u128 {
        if self.used + NUMBER > BUFFER {
            self.buffer = random::bytes();
            self.used = 0;
        }
        let mut bytes = [0; NUMBER];
        bytes.copy_from_slice(&self.buffer[self.used..self.used + NUMBER]);
        self.used += NUMBER;
        u128::from_le_bytes(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn numbers_do_not_repeat_across_refills() {
        let mut random = Random::new();
        let numbers: HashSet<_> = (0..1_000).map(|_| random.number()).collect();
        assert_eq!(numbers.len(), 1_000);
    }
}
