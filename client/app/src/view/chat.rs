//! The chat page: channels beside the conversation; on a phone one or the other.

mod channel_list;
mod composer;
mod conversation;
mod join_form;
mod label;
mod message;
mod scroll;
mod timeline;

use bmt_shared::channel::ChannelName;
use leptos::prelude::*;
use leptos_router::NavigateOptions;
use leptos_router::hooks::{use_navigate, use_params_map};

use self::channel_list::ChannelList;
use self::conversation::Conversation;
pub(crate) use self::scroll::Place;
use super::icon::Icon;
use super::trouble::NotFound;
use crate::browser::keep;
use crate::live::use_live;
use crate::state::chat::Chat;
use crate::store::use_store;

/// What the address asks for.
#[derive(Clone, Debug, PartialEq)]
enum Asked {
    /// The chat of who has just signed in begins a moment after this page is drawn.
    Wait,
    Nothing,
    Channel(ChannelName),
    Malformed,
}

/// The page.
#[component]
pub(crate) fn ChatPage() -> impl IntoView {
    let store = use_store();
    let live = use_live();
    let params = use_params_map();
    let asked = Memo::new(move |_| match params.with(|params| params.get("channel")) {
        _ if !store.chat.with(Chat::has_begun) => Asked::Wait,
        None => Asked::Nothing,
        Some(name) if name.is_empty() => Asked::Nothing,
        Some(name) => ChannelName::parse(&name).map_or(Asked::Malformed, Asked::Channel),
    });
    Effect::new(move |_| match asked.get() {
        Asked::Wait => {}
        Asked::Channel(topic) => {
            live.join(&topic);
            live.show(Some(&topic));
        }
        Asked::Nothing | Asked::Malformed => live.show(None),
    });
    open_the_last_one(asked);
    view! {
        <div class="chat" data-open=move || (!matches!(asked.get(), Asked::Wait | Asked::Nothing)).then_some("")>
            <ChannelList />
            {move || match asked.get() {
                Asked::Wait => view! { <section class="conversation"></section> }.into_any(),
                Asked::Nothing => view! { <NoChannel /> }.into_any(),
                Asked::Malformed => view! { <section class="conversation"><NotFound /></section> }.into_any(),
                Asked::Channel(topic) => view! { <Conversation topic=topic /> }.into_any(),
            }}
        </div>
    }
}

/// Beside the list there is room for a conversation: the one that was open last, else the first.
fn open_the_last_one(asked: Memo<Asked>) {
    let store = use_store();
    let navigate = use_navigate();
    Effect::new(move |_| {
        if asked.get() != Asked::Nothing || !is_wide() {
            return;
        }
        let topic = store.chat.with(|chat| {
            let last = keep::last_open(chat.me()).filter(|topic| chat.channels.get(topic).is_some());
            last.or_else(|| chat.channels.iter().next().map(|channel| channel.name.clone()))
        });
        if let Some(topic) = topic {
            let options = NavigateOptions {
                replace: true,
                ..NavigateOptions::default()
            };
            navigate(&format!("/chat/{topic}"), options);
        }
    });
}

/// Whether list and conversation stand side by side: what chat.css decides by.
fn is_wide() -> bool {
    web_sys::window()
        .and_then(|window| window.match_media("(min-width: 48rem)").ok().flatten())
        .is_some_and(|query| query.matches())
}

#[component]
fn NoChannel() -> impl IntoView {
    let store = use_store();
    view! {
        <section class="conversation">
            <div class="blank">
                <span class="blank-mark">{Icon::Chat.draw(26)}</span>
                <h1>{move || store.words().chat.none_title}</h1>
                <p>{move || store.words().chat.none_lead}</p>
            </div>
        </section>
    }
}
