//! The server's HTTP side as its users meet it: a real server on a free port, in a data folder of its own.

#![expect(clippy::unwrap_used, reason = "what fails here fails a test")]

mod accept;
mod access;
mod accounts;
mod api;
mod channel_rights;
mod collector_tls;
mod command;
mod denied;
mod described;
mod document;
mod figures;
mod files;
mod forms;
mod headers;
mod incidents;
mod key_sets;
mod key_sets_tls;
mod lists;
mod login;
mod members;
mod pace;
mod permissions;
mod reload;
mod scripts;
mod server;
#[path = "../tables/permissions.rs"]
mod tables;
mod tls;
mod tls_stalls;
mod tokens;
mod traces;
mod uploads;
mod user_command;
mod user_data;
