//! The frame of every page but the login: status on top, navigation beside it.

use bmt_shared::identity::User;
use leptos::children::Children;
use leptos::prelude::*;
use leptos::task::spawn_local;
use leptos_router::components::A;
use wasm_bindgen::JsCast;

use super::icon::Icon;
use super::status::StatusIndicator;
use crate::browser::address::{link, use_path};
use crate::live::use_live;
use crate::page::{PageId, page_at};
use crate::state::people;
use crate::store::use_store;

/// Draws the frame around `children` while somebody is signed in; the login stands alone.
#[component]
pub(super) fn Shell(children: Children) -> impl IntoView {
    let store = use_store();
    let path = use_path();
    let page = Memo::new(move |_| page_at(&path.get()).id);
    let signed_in = Memo::new(move |_| store.session.with(|session| session.user().is_some()));
    let framed = move || signed_in.get() && page.get() != PageId::Login;
    // A conversation has a phone's screen for itself.
    let in_conversation = move || page.get() == PageId::Chat && path.get().len() > "/chat/".len();
    view! {
        <a class="skip" href="#content" on:click=|event| skip_to_content(&event)>
            {move || store.words().skip_to_content}
        </a>
        <div class=move || if framed() { "app" } else { "app app-bare" } data-conversation=move || in_conversation().then_some("")>
            <Show when=framed>
                <header class="topbar">
                    <span class="brand">
                        <span class="brand-mark" aria-hidden="true">{Icon::Mark.draw(18)}</span>
                        <span class="brand-name">"BMT Realtime"</span>
                    </span>
                    <Show when=move || page_at(&path.get()).enabled>
                        <StatusIndicator />
                    </Show>
                </header>
                <Navigation page=page />
            </Show>
            <main class="page" id="content" tabindex="-1">{children()}</main>
        </div>
    }
}

/// Takes the keyboard to the page itself. The link alone would lead to the page's base, not to this page.
fn skip_to_content(event: &leptos::ev::MouseEvent) {
    event.prevent_default();
    if let Some(content) = document()
        .get_element_by_id("content")
        .and_then(|main| main.dyn_into::<web_sys::HtmlElement>().ok())
    {
        // Nothing is lost if it cannot take it.
        let _ = content.focus();
    }
}

#[component]
fn Navigation(page: Memo<PageId>) -> impl IntoView {
    let store = use_store();
    let live = use_live();
    let unread = Memo::new(move |_| store.chat.with(|chat| chat.channels.unread()));
    let badge = move || {
        let unread = unread.get();
        (unread > 0).then(|| {
            let shown = if unread > 99 {
                "99+".to_owned()
            } else {
                unread.to_string()
            };
            let words = (store.words().channels.unread)(unread);
            view! {
                <span class="badge" aria-hidden="true">{shown}</span>
                <span class="unseen">{words}</span>
            }
        })
    };
    let user = Memo::new(move |_| store.session.with(|session| session.user().cloned()));
    let current = move |id: PageId| move || (page.get() == id).then_some("page");
    view! {
        <nav class="nav" aria-label=move || store.words().shell.navigation>
            <A
                href=link("/chat")
                attr:class="nav-item"
                attr:data-testid="nav-chat"
                attr:aria-current=current(PageId::Chat)
            >
                {Icon::Chat.draw(22)}
                <span>{move || store.words().shell.chat}</span>
                {badge}
            </A>
            <A
                href=link("/settings")
                attr:class="nav-item"
                attr:data-testid="nav-settings"
                attr:aria-current=current(PageId::Settings)
            >
                {Icon::Settings.draw(22)}
                <span>{move || store.words().shell.settings}</span>
            </A>
            <div class="nav-foot">
                {move || user.get().map(|user| avatar(&user))}
                <button
                    class="nav-item"
                    type="button"
                    data-testid="logout"
                    on:click=move |_| spawn_local(async move { live.account().logout().await })
                >
                    {Icon::Logout.draw(22)}
                    <span>{move || store.words().shell.logout}</span>
                </button>
            </div>
        </nav>
    }
}

fn avatar(user: &User) -> impl IntoView + use<> {
    view! {
        <span class="avatar" data-tone=people::tone(&user.user_id) title=user.name.clone() role="img" aria-label=user.name.clone()>
            {people::initial(&user.name)}
        </span>
    }
}
