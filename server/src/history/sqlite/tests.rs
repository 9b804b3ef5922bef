//! What the conformance suite does not reach.
