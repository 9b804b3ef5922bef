//! Sentences about one channel.
