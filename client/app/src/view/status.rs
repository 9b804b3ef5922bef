//! The status indicator: one state machine, one place (SPEC §11, UX "Status").

use leptos::prelude::*;

use super::icon::Icon;
use crate::i18n::{Words, format};
use crate::live::use_live;
use crate::state::link::{LinkState, LinkTrouble};
use crate::store::use_store;

fn trouble(words: &Words, trouble: &LinkTrouble) -> String {
    match trouble {
        LinkTrouble::Unreachable => words.status.unreachable.to_owned(),
        LinkTrouble::Offline => words.status.offline.to_owned(),
        LinkTrouble::Kicked(reason) => (words.status.kicked)(reason),
        LinkTrouble::SessionOver => words.status.session_over.to_owned(),
    }
}

/// The indicator.
#[component]
pub(super) fn StatusIndicator() -> impl IntoView {
    let store = use_store();
    let live = use_live();
    let shown = Memo::new(move |_| store.link.with(|link| link.shown(store.clock.get())));
    let text = Memo::new(move |_| {
        let status = &store.words().status;
        match shown.get() {
            LinkState::Connected => status.connected.to_owned(),
            LinkState::Connecting => status.connecting.to_owned(),
            LinkState::Disconnected => status.disconnected.to_owned(),
            LinkState::Failed => status.failed.to_owned(),
            LinkState::Reconnecting => store
                .link
                .with(|link| (status.reconnecting)(link.attempt.max(1), link.most)),
        }
    });
    let detail = Memo::new(move |_| {
        let words = store.words();
        let now = store.clock.get();
        store.link.with(|link| match shown.get() {
            LinkState::Connected => link.latency_ms.map(words.status.latency),
            LinkState::Connecting => None,
            LinkState::Reconnecting => match (&link.trouble, link.countdown(now)) {
                (Some(LinkTrouble::Offline), None) => Some(words.status.offline.to_owned()),
                (_, countdown) => countdown.map(words.status.next_try),
            },
            LinkState::Disconnected | LinkState::Failed => {
                link.trouble.as_ref().map(|why| trouble(words, why))
            }
        })
    });
    let stale = Memo::new(move |_| {
        let now = store.clock.get();
        let since = store.link.with(crate::state::link::Link::stale_since)?;
        let troubled = !matches!(shown.get(), LinkState::Connected | LinkState::Connecting);
        // A few seconds are no age yet.
        let old = now.saturating_sub(since) >= 10_000;
        (troubled && old).then(|| {
            let age = format::age(store.language.get(), since, now);
            (store.words().status.stale)(&age)
        })
    });
    let may_retry = move || {
        matches!(
            shown.get(),
            LinkState::Reconnecting | LinkState::Failed | LinkState::Disconnected
        )
    };
    view! {
        <Queue />
        <div class="status" data-testid="status" data-state=move || shown.get().as_str() title=stale>
            <span class="status-dot" aria-hidden="true"></span>
            <span role="status">{text}</span>
            {move || detail.get().map(|detail| view! { <span class="status-detail">{detail}</span> })}
            <Show when=may_retry>
                <button
                    class="button button-small"
                    type="button"
                    data-testid="retry-now"
                    on:click=move |_| live.retry_now()
                >
                    {Icon::Retry.draw(16)}
                    {move || store.words().status.retry_now}
                </button>
            </Show>
        </div>
    }
}

/// What waits to be sent, where something does.
#[component]
fn Queue() -> impl IntoView {
    let store = use_store();
    let queued = Memo::new(move |_| store.link.with(|link| link.queued));
    // What is on its way over a good connection is gone in a moment; it would only flicker.
    let visible = move || queued.get() > 0 && store.link.with(|link| link.state() != LinkState::Connected);
    view! {
        <Show when=visible>
            <span class="queue-size" data-testid="queue-size" data-count=move || queued.get()>
                {Icon::Clock.draw(16)}
                {move || (store.words().status.queued)(queued.get())}
            </span>
        </Show>
    }
}
