//! The app's state as signals: one per struct of [`crate::state`]. One of the app's three contexts.
//!
//! They are made in the root component and live as long as the page; what the connection says is written with
//! `try_update`, so that a late event never meets a state that is gone.

use std::collections::HashMap;

use bmt_shared::channel::ChannelName;
use leptos::prelude::*;

use crate::browser::appearance::{self, Theme};
use crate::browser::clock;
use crate::i18n::{Language, Words};
use crate::state::chat::Chat;
use crate::state::link::Link;
use crate::state::session::Session;
use crate::view::chat::Place;

/// Everything that views show. A copy is a handle.
#[derive(Clone, Copy)]
pub(crate) struct Store {
    /// Who is signed in.
    pub(crate) session: RwSignal<Session>,
    /// How the connection stands.
    pub(crate) link: RwSignal<Link>,
    /// Channels and messages.
    pub(crate) chat: RwSignal<Chat>,
    /// The app's language.
    pub(crate) language: RwSignal<Language>,
    /// The app's theme.
    pub(crate) theme: RwSignal<Theme>,
    /// Where the reader was in each channel's timeline, for coming back.
    pub(crate) places: StoredValue<HashMap<ChannelName, Place>>,
    /// How long the page is there, ms, for what counts down or gets old; it ticks while something does.
    pub(crate) clock: RwSignal<u64>,
}

impl Store {
    /// The state at the start: nothing is known but the settings.
    pub(crate) fn new() -> Self {
        Self {
            session: RwSignal::new(Session::Restoring),
            link: RwSignal::new(Link::default()),
            chat: RwSignal::new(Chat::default()),
            language: RwSignal::new(appearance::language()),
            theme: RwSignal::new(appearance::theme()),
            places: StoredValue::new(HashMap::new()),
            clock: RwSignal::new(clock::steady()),
        }
    }

    /// The words of the chosen language; who calls it draws again when another is chosen.
    pub(crate) fn words(&self) -> &'static Words {
        self.language.get().words()
    }

    /// The same without drawing again.
    pub(crate) fn words_now(&self) -> &'static Words {
        self.language.get_untracked().words()
    }
}

/// The state of this app.
pub(crate) fn use_store() -> Store {
    expect_context()
}
