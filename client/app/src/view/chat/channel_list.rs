//! The joined channels, with what is unread and what was said last.

use bmt_shared::channel::ChannelName;
use leptos::prelude::*;
use leptos_router::components::A;

use super::join_form::JoinForm;
use super::label::{label, mark};
use crate::browser::address::link;
use crate::i18n::{foreign, format, refusal};
use crate::live::use_live;
use crate::state::channels::{Channel, Standing};
use crate::store::{Store, use_store};
use crate::view::icon::Icon;

/// The list, and the way to join another.
#[component]
pub(super) fn ChannelList() -> impl IntoView {
    let store = use_store();
    let joining = RwSignal::new(false);
    let names = Memo::new(move |_| {
        store.chat.with(|chat| {
            chat.channels
                .iter()
                .map(|channel| channel.name.clone())
                .collect::<Vec<_>>()
        })
    });
    view! {
        <section class="channels" aria-labelledby="channels-title">
            <div class="panel-head">
                <h2 id="channels-title">{move || store.words().channels.title}</h2>
                <button
                    class="button-icon"
                    type="button"
                    aria-label=move || store.words().channels.join
                    title=move || store.words().channels.join
                    aria-expanded=move || joining.get().to_string()
                    data-testid="channel-join"
                    on:click=move |_| joining.update(|joining| *joining = !*joining)
                >
                    {Icon::Plus.draw(20)}
                </button>
            </div>
            <Show when=move || joining.get()>
                <JoinForm open=joining />
            </Show>
            <ul class="channel-list">
                <For each=move || names.get() key=Clone::clone children=move |name| view! { <Entry name=name /> } />
                <Show when=move || names.with(Vec::is_empty)>
                    <li class="blank">
                        <h2>{move || store.words().channels.none_title}</h2>
                        <p>{move || store.words().channels.none_lead}</p>
                    </li>
                </Show>
            </ul>
        </section>
    }
}

/// The second line of an entry.
fn last_line(store: Store, channel: &Channel) -> String {
    let words = store.words();
    if let Standing::Refused(code) = &channel.standing {
        return refusal(words, code);
    }
    let Some(last) = &channel.last else {
        return words.channels.quiet.to_owned();
    };
    store.chat.with_untracked(|chat| {
        let name = if last.from == *chat.me() {
            words.channels.you
        } else {
            chat.people.name(&last.from)
        };
        (words.channels.last_line)(&foreign::level(name), &last.text)
    })
}

#[component]
fn Entry(name: ChannelName) -> impl IntoView {
    let store = use_store();
    let live = use_live();
    let href = link(&format!("/chat/{name}"));
    let icon = mark(&name);
    let topic = name.clone();
    let channel = Memo::new(move |_| store.chat.with(|chat| chat.channels.get(&topic).cloned()));
    let topic = name.clone();
    let title = move || store.chat.with(|chat| label(&topic, &chat.people));
    let topic = name.clone();
    let open = Memo::new(move |_| store.chat.with(|chat| chat.open() == Some(&topic)));
    let unread = Memo::new(move |_| channel.with(|channel| channel.as_ref().map_or(0, Channel::unread)));
    let line = move || channel.get().map(|channel| last_line(store, &channel));
    let when = move || {
        let at = channel.with(|channel| channel.as_ref()?.last.as_ref().map(|last| last.at))?;
        // Drawn again with the next message or another language is often enough.
        Some(format::short(store.language.get(), at, live.time()))
    };
    view! {
        <li class="channel-row">
            <A
                href=href
                attr:class="channel"
                attr:data-testid="channel"
                attr:data-topic=name.to_string()
                attr:data-unread=move || unread.get().to_string()
                attr:aria-current=move || open.get().then_some("page")
                attr:title=name.to_string()
            >
                <span class="channel-mark" aria-hidden="true">{icon.draw(18)}</span>
                <span class="channel-name">{title}</span>
                <span class="channel-when">{when}</span>
                <span class="channel-last">{line}</span>
                {move || badge(store, unread.get())}
            </A>
        </li>
    }
}

fn badge(store: Store, unread: u64) -> Option<impl IntoView> {
    (unread > 0).then(|| {
        let shown = if unread > 99 {
            "99+".to_owned()
        } else {
            unread.to_string()
        };
        view! {
            <span class="badge">
                <span aria-hidden="true">{shown}</span>
                <span class="unseen">{(store.words().channels.unread)(unread)}</span>
            </span>
        }
    })
}
