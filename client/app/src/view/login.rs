//! The login page: takes over the form that stood in the page before the app was there.

use leptos::html::Input;
use leptos::prelude::*;
use leptos::task::spawn_local;
use leptos_router::hooks::{use_navigate, use_query_map};

use super::icon::Icon;
use crate::browser::{appearance, boot};
use crate::i18n::{Language, Words};
use crate::live::use_live;
use crate::page::safe_next;
use crate::state::session::{LoginTrouble, Session, SignedOut};
use crate::store::{Store, use_store};

/// What the login says about its last attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Attempt {
    Idle,
    Running,
    Failed(LoginTrouble),
}

/// The sentence for a login that did not work.
pub(super) fn trouble(words: &Words, trouble: LoginTrouble) -> String {
    match trouble {
        LoginTrouble::Incomplete => words.login.incomplete.to_owned(),
        LoginTrouble::Wrong => words.login.wrong.to_owned(),
        LoginTrouble::Blocked => words.login.blocked.to_owned(),
        LoginTrouble::Limited(seconds) => (words.login.limited)(seconds),
        LoginTrouble::Unreachable => words.login.unreachable.to_owned(),
        LoginTrouble::Server(status) => (words.login.server_error)(status),
    }
}

/// What stands in a field.
pub(super) fn value_of(field: NodeRef<Input>) -> String {
    let field = field.get_untracked();
    field.map(|field| field.value()).unwrap_or_default()
}

/// Puts the focus on a field.
pub(super) fn focus(field: NodeRef<Input>) {
    if let Some(field) = field.get_untracked() {
        // A field that is gone takes none.
        let _ = field.focus();
    }
}

/// The field for the user name.
#[component]
pub(super) fn UsernameField(
    /// Ties the label to the field.
    id: &'static str,
    /// The field.
    node: NodeRef<Input>,
    /// What it begins with.
    value: String,
) -> impl IntoView {
    let store = use_store();
    view! {
        <div class="field">
            <label class="field-label" for=id>
                {move || store.words().login.username}
            </label>
            <input
                class="input"
                id=id
                name="username"
                value=value
                autocomplete="username"
                autocapitalize="none"
                spellcheck="false"
                node_ref=node
                data-testid="login-username"
            />
        </div>
    }
}

/// A password field with a button that makes it readable.
#[component]
pub(super) fn PasswordField(
    /// Ties the label to the field.
    id: &'static str,
    /// The field.
    node: NodeRef<Input>,
) -> impl IntoView {
    let store = use_store();
    let readable = RwSignal::new(false);
    let label = move || {
        let login = &store.words().login;
        if readable.get() {
            login.hide_password
        } else {
            login.show_password
        }
    };
    view! {
        <div class="field">
            <label class="field-label" for=id>{move || store.words().login.password}</label>
            <div class="password">
                <input
                    class="input"
                    id=id
                    name="password"
                    type=move || if readable.get() { "text" } else { "password" }
                    autocomplete="current-password"
                    node_ref=node
                    data-testid="login-password"
                />
                <button
                    class="button-icon"
                    type="button"
                    aria-label=label
                    title=label
                    on:click=move |_| readable.update(|readable| *readable = !*readable)
                >
                    {move || if readable.get() { Icon::EyeOff.draw(20) } else { Icon::Eye.draw(20) }}
                </button>
            </div>
        </div>
    }
}

/// The page.
#[component]
pub(crate) fn LoginPage() -> impl IntoView {
    let store = use_store();
    let live = use_live();
    let username = NodeRef::<Input>::new();
    let password = NodeRef::<Input>::new();
    let attempt = RwSignal::new(Attempt::Idle);

    forward_when_signed_in();

    let submit = move || {
        let (name, secret) = (value_of(username).trim().to_owned(), value_of(password));
        spawn_local(async move {
            attempt.set(Attempt::Running);
            match live.account().login(&name, &secret).await {
                Some(Ok(())) => attempt.set(Attempt::Idle),
                Some(Err(trouble)) => {
                    attempt.set(Attempt::Failed(trouble));
                    focus(if name.is_empty() { username } else { password });
                }
                None => {}
            }
        });
    };
    take_over(username, password, submit);

    let running = move || attempt.get() == Attempt::Running;
    view! {
        <div class="login-page">
            <div class="login-card">
                <span class="brand">
                    <span class="brand-mark" aria-hidden="true">{Icon::Mark.draw(18)}</span>
                    "BMT Realtime"
                </span>
                <div class="login-heading">
                    <h1>{move || store.words().login.title}</h1>
                    <p>{move || store.words().login.lead}</p>
                </div>
                <Unreached />
                <form
                    class="login-form"
                    on:submit=move |event| {
                        event.prevent_default();
                        submit();
                    }
                >
                    <UsernameField id="username" node=username value=String::new() />
                    <PasswordField id="password" node=password />
                    {failure(store, attempt)}
                    <button
                        class="button button-main"
                        type="submit"
                        aria-disabled=move || running().then_some("true")
                        data-testid="login-submit"
                    >
                        {move || {
                            let login = &store.words().login;
                            if running() { login.submitting } else { login.submit }
                        }}
                    </button>
                </form>
            </div>
            <LanguageChoice />
        </div>
    }
}

/// Why the last attempt failed, said aloud when it does.
fn failure(store: Store, attempt: RwSignal<Attempt>) -> impl IntoView {
    let callout = move |why| {
        view! {
            <p class="callout callout-bad" data-testid="login-error">
                {Icon::Alert.draw(18)}
                <span>{trouble(store.words(), why)}</span>
            </p>
        }
    };
    view! {
        <div role="alert">
            {move || match attempt.get() {
                Attempt::Failed(why) => Some(callout(why)),
                _ => None,
            }}
        </div>
    }
}

/// Goes where the person wanted to go, once it is known who it is.
fn forward_when_signed_in() {
    let store = use_store();
    let query = use_query_map();
    let navigate = use_navigate();
    Effect::new(move |_| {
        if store.session.with(|session| session.user().is_some()) {
            let next = query.with_untracked(|query| query.get("next"));
            let options = leptos_router::NavigateOptions {
                replace: true,
                ..Default::default()
            };
            navigate(&safe_next(next.as_deref()), options);
        }
    });
}

/// Takes over what was typed into the page's own form, its focus, and its submit.
fn take_over(username: NodeRef<Input>, password: NodeRef<Input>, submit: impl Fn() + 'static) {
    let typed = boot::typed();
    Effect::new(move |taken: Option<bool>| {
        let (Some(name), Some(secret)) = (username.get(), password.get()) else {
            return false;
        };
        if taken == Some(true) {
            return true;
        }
        let Some(typed) = &typed else {
            let _ = name.focus();
            return true;
        };
        name.set_value(&typed.username);
        secret.set_value(&typed.password);
        boot::remove();
        let field = if typed.focused.as_deref() == Some("password") {
            &secret
        } else {
            &name
        };
        let _ = field.focus();
        if typed.submitted {
            submit();
        }
        true
    });
}

/// Says that the session could not be restored because nobody answered, and tries again on a click.
#[component]
fn Unreached() -> impl IntoView {
    let store = use_store();
    let live = use_live();
    let unreached = move || {
        store
            .session
            .with(|session| *session == Session::SignedOut(SignedOut::Unreachable))
    };
    view! {
        <Show when=unreached>
            <div class="callout callout-warn" role="status">
                {Icon::Alert.draw(18)}
                <span>
                    {move || store.words().login.unreachable} " "
                    <button
                        class="button-link"
                        type="button"
                        on:click=move |_| spawn_local(async move { live.account().restore().await })
                    >
                        {move || store.words().retry}
                    </button>
                </span>
            </div>
        </Show>
    }
}

/// The languages, by their own names, for who cannot read the one that is shown.
#[component]
fn LanguageChoice() -> impl IntoView {
    let store = use_store();
    let buttons = Language::ALL.map(|language| {
        view! {
            <button
                class="button-link"
                type="button"
                lang=language.tag()
                aria-pressed=move || (store.language.get() == language).to_string()
                on:click=move |_| {
                    appearance::keep_language(language);
                    store.language.set(language);
                }
            >
                {language.own_name()}
            </button>
        }
    });
    view! { <footer class="login-foot">{buttons.into_iter().collect_view()}</footer> }
}
