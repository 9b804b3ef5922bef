//! The product tested as a user meets it: real server, real sockets, real browser, and both cores in virtual time.
