//! The web app: login, chat, settings, over one connection (SPEC §11).
//!
//! It owns no protocol. Events of the realtime client go through a queue ([`live`]) into plain structs
//! ([`state`]), which signals hold ([`store`]) and components show ([`view`]). What is the browser's and not the
//! connection's is in [`browser`]. Three contexts exist: the store, the realtime handle, the toasts.

mod page;
mod state;

mod i18n;

mod account;
mod browser;
mod crash;
mod live;
mod store;
mod toasts;
#[expect(
    unreachable_pub,
    reason = "the component macro makes the properties of a component public"
)]
mod view;

fn main() {
    crash::watch();
    if browser::boot::finish() {
        leptos::mount::mount_to_body(view::app::App);
    }
}
