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
use leptos_router::hooks::use_params_map;

use self::channel_list::ChannelList;
use self::conversation::Conversation;
pub(crate) use self::scroll::Place;
use super::icon::Icon;
use super::trouble::NotFound;
use crate::live::use_live;
use crate::store::use_store;

/// What the address asks for.
#[derive(Clone, Debug, PartialEq)]
enum Asked {
    Nothing,
    Channel(ChannelName),
    Malformed,
}

/// The page.
#[component]
pub(crate) fn ChatPage() -> impl IntoView {
    let live = use_live();
    let params = use_params_map();
    let asked = Memo::new(move |_| match params.with(|params| params.get("channel")) {
        None => Asked::Nothing,
        Some(name) if name.is_empty() => Asked::Nothing,
        Some(name) => ChannelName::parse(&name).map_or(Asked::Malformed, Asked::Channel),
    });
    Effect::new(move |_| match asked.get() {
        Asked::Channel(topic) => {
            live.join(&topic);
            live.show(Some(&topic));
        }
        Asked::Nothing | Asked::Malformed => live.show(None),
    });
    on_cleanup(move || live.show(None));
    view! {
        <div class="chat" data-open=move || (asked.get() != Asked::Nothing).then_some("")>
            <ChannelList />
            {move || match asked.get() {
                Asked::Nothing => view! { <NoChannel /> }.into_any(),
                Asked::Malformed => view! { <section class="conversation"><NotFound /></section> }.into_any(),
                Asked::Channel(topic) => view! { <Conversation topic=topic /> }.into_any(),
            }}
        </div>
    }
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
