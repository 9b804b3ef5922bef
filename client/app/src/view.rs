//! What people see. Components show the state and hand on what is done to them; they decide nothing.

pub(crate) mod app;
pub(crate) mod chat;
mod icon;
mod login;
mod password_dialog;
mod settings;
mod shell;
mod status;
mod toast_stack;
mod trouble;
