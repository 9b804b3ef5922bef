//! One row of a timeline.

use bmt_shared::channel::ChannelName;
use bmt_shared::id::MessageId;
use leptos::prelude::*;

use super::composer::put_back;
use crate::i18n::{format, refusal};
use crate::live::use_live;
use crate::state::body::Body;
use crate::state::link::LinkState;
use crate::state::links::{Part, parts};
use crate::state::people;
use crate::state::row::{RowKey, RowState};
use crate::state::timeline::items::Shown;
use crate::store::{Store, use_store};

/// A row's name in the document: finds it again when the reader comes back to the channel.
pub(super) fn document_key(key: &RowKey) -> String {
    match key {
        RowKey::Own(id) => format!("own:{id}"),
        RowKey::Server(id) => format!("server:{id}"),
    }
}

/// Draws a row; `shown` changes as the message goes from sending to sent, on the same element.
#[component]
pub(super) fn MessageRow(topic: ChannelName, shown: ArcRwSignal<Shown>) -> impl IntoView {
    let store = use_store();
    let shown = RwSignal::from(shown);
    let first = shown.get_untracked();
    let key = document_key(&first.row.key);
    let from = first.row.from.clone();
    let system = matches!(first.row.body, Body::System(_));
    let leads = Memo::new(move |_| shown.with(|shown| shown.leads));
    let state = Memo::new(move |_| shown.with(|shown| shown.row.state.clone()));
    let body = Memo::new(move |_| shown.with(|shown| shown.row.body.clone()));
    let at = Memo::new(move |_| shown.with(|shown| shown.row.at));
    let first_unread = Memo::new(move |_| shown.with(|shown| shown.first_unread));
    let author = Memo::new(move |_| store.chat.with(|chat| chat.people.name(&from).to_owned()));
    let tone = people::tone(&first.row.from);
    let side = move || {
        if leads.get() {
            view! {
                <span class="avatar" data-tone=tone aria-hidden="true">{people::initial(&author.get())}</span>
            }
            .into_any()
        } else {
            view! { <time>{format::time(store.language.get(), at.get())}</time> }.into_any()
        }
    };
    let head = move || {
        (leads.get() && !system).then(|| {
            let language = store.language.get();
            view! {
                <div class="message-head">
                    <span class="message-author">{author}</span>
                    <time title=format::full(language, at.get())>{format::time(language, at.get())}</time>
                </div>
            }
        })
    };
    view! {
        <article
            class=if system { "message message-system" } else { "message" }
            tabindex="-1"
            data-testid="message"
            data-key=key
            data-id=move || shown.with(|shown| shown.row.id.as_ref().map(ToString::to_string))
            data-seq=move || shown.with(|shown| shown.row.seq.map(|seq| seq.to_string()))
            data-from=first.row.from.to_string()
            data-state=move || state.with(RowState::as_str)
            data-leads=move || leads.get().then_some("")
            aria-label=move || (!leads.get()).then(|| author.get())
        >
            {move || first_unread.get().then(|| unread_line(store))}
            {(!system).then(|| view! { <div class="message-side">{side}</div> })}
            <div class="message-main">
                {head} {move || draw_body(store, &body.get())} <StateLine topic=topic shown=shown state=state />
            </div>
        </article>
    }
}

fn unread_line(store: Store) -> impl IntoView {
    view! {
        <div class="unread-line" data-testid="unread-line">
            <span>{store.words().chat.unread_line}</span>
        </div>
    }
}

fn draw_body(store: Store, body: &Body) -> AnyView {
    match body {
        Body::Text(text) | Body::System(text) => {
            let parts: Vec<AnyView> = parts(text).into_iter().map(draw_part).collect();
            view! { <p class="message-text">{parts}</p> }.into_any()
        }
        Body::Data(json) => {
            let json = json.to_string();
            view! { <p class="message-data" aria-label=store.words().chat.data>{json}</p> }.into_any()
        }
    }
}

fn draw_part(part: Part<'_>) -> AnyView {
    match part {
        Part::Words(text) => text.to_owned().into_any(),
        Part::Link(link) => {
            let (href, link) = (link.to_owned(), link.to_owned());
            view! {
                <a href=href target="_blank" rel="noopener noreferrer nofollow">
                    {link}
                </a>
            }
            .into_any()
        }
    }
}

/// What is to say about a row that is not sent.
#[component]
fn StateLine(topic: ChannelName, shown: RwSignal<Shown>, state: Memo<RowState>) -> impl IntoView {
    let store = use_store();
    let connected = Memo::new(move |_| store.link.with(|link| link.state() == LinkState::Connected));
    move || match state.get() {
        RowState::Sent => None,
        RowState::Sending => {
            let chat = &store.words().chat;
            let words = if connected.get() {
                chat.sending
            } else {
                chat.queued
            };
            Some(view! { <div class="message-state">{words}</div> }.into_any())
        }
        RowState::Failed(code) => {
            let why = refusal(store.words(), &code);
            let own = shown.with_untracked(|shown| match &shown.row.key {
                RowKey::Own(id) => Some(id.clone()),
                RowKey::Server(_) => None,
            });
            let topic = topic.clone();
            Some(
                view! {
                    <div class="message-state">
                        <span role="alert">{(store.words().chat.failed)(&why)}</span>
                        {own.map(|id| view! { <Choices topic=topic id=id /> })}
                    </div>
                }
                .into_any(),
            )
        }
    }
}

/// What can be done about a refused row.
#[component]
fn Choices(topic: ChannelName, id: MessageId) -> impl IntoView {
    let store = use_store();
    let live = use_live();
    let (retry, edit, discard) = (
        (topic.clone(), id.clone()),
        (topic.clone(), id.clone()),
        (topic, id),
    );
    view! {
        <button class="button-link" type="button" on:click=move |_| live.resend(&retry.0, &retry.1)>
            {move || store.words().retry}
        </button>
        <button
            class="button-link"
            type="button"
            on:click=move |_| {
                if let Some(text) = live.discard(&edit.0, &edit.1) {
                    put_back(&text);
                }
            }
        >
            {move || store.words().chat.edit}
        </button>
        <button
            class="button-link"
            type="button"
            on:click=move |_| {
                live.discard(&discard.0, &discard.1);
            }
        >
            {move || store.words().chat.discard}
        </button>
    }
}
