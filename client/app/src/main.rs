//! The web app.

mod i18n;
mod page;
mod state;

fn main() {}
