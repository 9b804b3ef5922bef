//! What the app knows, as plain structs: what comes from the connection is applied to them, and components show
//! them. Nothing here touches the browser; everything is tested natively.

mod apply;
pub(crate) mod body;
pub(crate) mod channels;
pub(crate) mod chat;
pub(crate) mod link;
pub(crate) mod links;
pub(crate) mod notices;
pub(crate) mod people;
pub(crate) mod row;
pub(crate) mod session;
pub(crate) mod timeline;
