//! The root: makes the state and the contexts, follows session and address, and routes.

use leptos::prelude::*;
use leptos_router::components::{FlatRoutes, Redirect, Route, Router};
use leptos_router::hooks::use_navigate;
use leptos_router::{NavigateOptions, path};
use wasm_bindgen::JsCast;
use web_sys::StorageEvent;

use super::chat::ChatPage;
use super::login::LoginPage;
use super::password_dialog::PasswordDialog;
use super::settings::SettingsPage;
use super::shell::Shell;
use super::toast_stack::ToastStack;
use super::trouble::{NotFound, Refused};
use crate::browser::address::{self, use_path};
use crate::browser::listener::Listener;
use crate::browser::{appearance, boot, clock, keep};
use crate::live::Live;
use crate::page::{Entry, PageId, entry, login_address, page_at};
use crate::state::link::LinkState;
use crate::state::session::{Session, SignedOut};
use crate::store::{Store, use_store};
use crate::toasts::Toasts;

/// How often what counts down or gets old is drawn again, ms.
const TICK_MS: u64 = 500;

/// The app.
#[component]
pub(crate) fn App() -> impl IntoView {
    let store = Store::new();
    let toasts = Toasts::new();
    let live = Live::new(store, toasts);
    provide_context(store);
    provide_context(toasts);
    provide_context(live);

    Effect::new(move |_| appearance::mark_language(store.language.get()));
    Effect::new(move |_| live.follow_session(&store.session.get()));
    follow_other_tabs(live);
    tick_while_it_matters(store);
    let account = live.account();
    leptos::task::spawn_local(async move { account.restore().await });

    // Until it is known who is there, the page that stood here before the app stays.
    let known = Memo::new(move |_| store.session.with(|session| *session != Session::Restoring));
    view! {
        <Show when=move || known.get()>
            <Router base=address::base()>
                <Routed />
            </Router>
            <PasswordDialog />
            <ToastStack />
        </Show>
    }
}

#[component]
fn Routed() -> impl IntoView {
    let store = use_store();
    let live = expect_context::<Live>();
    let path = use_path();
    Effect::new(move |_| live.follow_page(page_at(&path.get()), &store.session.get()));
    Effect::new(move |_| {
        if page_at(&path.get()).id != PageId::Chat {
            live.show(None);
        }
    });
    Effect::new(move |_| {
        // The login takes over what was typed there, and takes it away itself: also when it is not the page that
        // was asked for but the way to it.
        let page = page_at(&path.get());
        let shown = store.session.with(|session| entry(page, session.user())) == Entry::Show;
        if shown && page.id != PageId::Login {
            boot::remove();
        }
    });
    name_the_window(store, path);
    view! {
        <Shell>
            <FlatRoutes fallback=|| view! { <NotFound /> }>
                <Route path=path!("/") view=|| view! { <Redirect path="/chat" /> } />
                <Route path=path!("/login") view=LoginPage />
                <Route path=path!("/chat/:channel?") view=|| view! { <Gate view=|| view! { <ChatPage /> }.into_any() /> } />
                <Route path=path!("/settings") view=|| view! { <Gate view=|| view! { <SettingsPage /> }.into_any() /> } />
            </FlatRoutes>
        </Shell>
    }
}

/// Shows a page to who may see it; the others are sent to the login, or told no.
#[component]
fn Gate(view: fn() -> AnyView) -> impl IntoView {
    let store = use_store();
    let path = use_path();
    let navigate = use_navigate();
    let decision = Memo::new(move |_| {
        let page = page_at(&path.get());
        store.session.with(|session| entry(page, session.user()))
    });
    Effect::new(move |_| {
        if decision.get() == Entry::SignIn {
            let options = NavigateOptions {
                replace: true,
                ..NavigateOptions::default()
            };
            // Who signs out is done here; whoever signs in next begins where everybody does.
            let asked = store
                .session
                .with_untracked(|session| *session == Session::SignedOut(SignedOut::Asked));
            let address = if asked {
                "/login".to_owned()
            } else {
                login_address(&path.get_untracked())
            };
            navigate(&address, options);
        }
    });
    move || match decision.get() {
        Entry::Show => view(),
        Entry::SignIn => ().into_any(),
        Entry::Refuse => view! { <Refused /> }.into_any(),
    }
}

/// Title and unread count, as the browser's tab shows them.
fn name_the_window(store: Store, path: Memo<String>) {
    let title = Memo::new(move |_| {
        let words = store.words();
        let page = match page_at(&path.get()).id {
            PageId::Login => words.login.title,
            PageId::Chat => words.shell.chat,
            PageId::Settings => words.shell.settings,
            PageId::NotFound => words.trouble.not_found_title,
        };
        let unread = store.chat.with(|chat| chat.channels.unread());
        let title = (words.shell.page_title)(page);
        if unread > 0 {
            format!("({unread}) {title}")
        } else {
            title
        }
    });
    Effect::new(move |_| {
        if let Some(document) = web_sys::window().and_then(|window| window.document()) {
            document.set_title(&title.get());
        }
    });
}

/// Signing out or in anywhere is signing out or in everywhere.
fn follow_other_tabs(live: Live) {
    let Some(window) = web_sys::window() else { return };
    let listener = Listener::new(&window, "storage", move |event| {
        let Some(event) = event.dyn_ref::<StorageEvent>() else {
            return;
        };
        // Without a key everything was deleted.
        if event.key().is_none_or(|key| key == keep::SESSION) {
            let user = keep::get::<String>(keep::SESSION);
            live.account().follow(user.as_deref());
        }
    });
    let listener = StoredValue::new_local(Some(listener));
    on_cleanup(move || {
        listener.try_update_value(Option::take);
    });
}

/// Lets the clock tick while a countdown, a blip or an age is on the screen.
fn tick_while_it_matters(store: Store) {
    let interval = StoredValue::new_local(None::<IntervalHandle>);
    let matters = Memo::new(move |_| {
        store
            .link
            .with(|link| !matches!(link.state(), LinkState::Connected) && link.stale_since().is_some())
            || store.link.with(|link| link.next_try.is_some())
    });
    Effect::new(move |_| {
        let running = interval.try_update_value(Option::take).flatten();
        if let Some(running) = running {
            running.clear();
        }
        store.clock.set(clock::steady());
        if matters.get() {
            let ticking = set_interval_with_handle(
                move || {
                    store.clock.try_set(clock::steady());
                },
                std::time::Duration::from_millis(TICK_MS),
            );
            interval.set_value(ticking.ok());
        }
    });
}
