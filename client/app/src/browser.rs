//! What the app takes from the browser: HTTP, storage, appearance, other tabs. The connection is not here; it
//! belongs to `bmt-client-web`.

pub(crate) mod address;
pub(crate) mod appearance;
pub(crate) mod boot;
pub(crate) mod clock;
pub(crate) mod fetch;
pub(crate) mod keep;
pub(crate) mod listener;
