//! One channel: its head, its timeline, the composer.

use bmt_shared::channel::ChannelName;
use bmt_shared::permission::{Action, Membership, can};
use leptos::prelude::*;
use leptos_router::components::A;
use leptos_router::hooks::use_navigate;

use super::composer::Composer;
use super::label::{label, mark};
use super::timeline::TimelineView;
use crate::browser::address::link;
use crate::i18n::refusal;
use crate::live::use_live;
use crate::state::channels::Standing;
use crate::store::use_store;
use crate::view::icon::Icon;

/// The channel `topic`, or why it is not open to the user.
#[component]
pub(super) fn Conversation(topic: ChannelName) -> impl IntoView {
    let store = use_store();
    let name = topic.clone();
    let refused = Memo::new(move |_| {
        store.chat.with(|chat| match &chat.channels.get(&name)?.standing {
            Standing::Refused(code) => Some(code.clone()),
            Standing::Joining | Standing::Joined => None,
        })
    });
    let body = {
        let topic = topic.clone();
        move || match refused.get() {
            Some(code) => view! { <Closed code=code.to_string() /> }.into_any(),
            None => view! { <Open topic=topic.clone() /> }.into_any(),
        }
    };
    view! {
        <section class="conversation">
            <Head topic=topic />
            {body}
        </section>
    }
}

#[component]
fn Closed(code: String) -> impl IntoView {
    let store = use_store();
    view! {
        <div class="blank">
            <span class="blank-mark">{Icon::Lock.draw(26)}</span>
            <h2>{move || store.words().trouble.refused_title}</h2>
            <p>{move || refusal(store.words(), &code)}</p>
        </div>
    }
}

#[component]
fn Open(topic: ChannelName) -> impl IntoView {
    let store = use_store();
    // Whether the user is a member only the server knows; what no member may do needs no asking.
    let may_write = store.session.with_untracked(|session| {
        session
            .user()
            .is_some_and(|user| can(user, &topic, Action::Publish, Membership::Owner).is_ok())
    });
    let foot = if may_write {
        view! { <Composer topic=topic.clone() /> }.into_any()
    } else {
        view! {
            <div class="composer">
                <p class="callout">{Icon::Lock.draw(18)} {move || store.words().chat.read_only}</p>
            </div>
        }
        .into_any()
    };
    view! {
        <TimelineView topic=topic />
        {foot}
    }
}

#[component]
fn Head(topic: ChannelName) -> impl IntoView {
    let store = use_store();
    let live = use_live();
    let navigate = use_navigate();
    let icon = mark(&topic);
    let full = topic.to_string();
    let name = topic.clone();
    let title = Memo::new(move |_| store.chat.with(|chat| label(&name, &chat.people)));
    let name = topic.clone();
    let present = Memo::new(move |_| {
        store.chat.with(|chat| {
            chat.channels
                .get(&name)
                .map_or(0, |channel| channel.present.len())
        })
    });
    let leave = move || (store.words().channels.leave)(&title.get());
    view! {
        <header class="conversation-head">
            <A href=link("/chat") attr:class="button-icon back" attr:aria-label=move || store.words().channels.back>
                {Icon::Left.draw(22)}
            </A>
            <span class="conversation-mark" aria-hidden="true">{icon.draw(20)}</span>
            <h1 title=full>{title}</h1>
            {move || {
                let count = present.get();
                (count > 0)
                    .then(|| {
                        view! {
                            <span class="conversation-people">{(store.words().chat.present)(count)}</span>
                        }
                    })
            }}
            <button
                class="button-icon leave"
                type="button"
                aria-label=leave
                title=leave
                on:click=move |_| {
                    live.leave(&topic);
                    navigate("/chat", leptos_router::NavigateOptions::default());
                }
            >
                {Icon::Logout.draw(18)}
            </button>
        </header>
    }
}
