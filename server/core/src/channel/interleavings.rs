//! Any order of calls.
