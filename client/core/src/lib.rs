//! The client as a state machine without I/O.
