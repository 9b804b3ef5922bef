//! The form that joins a channel by its name; a channel that does not exist is made by that.

use bmt_shared::channel::{ChannelName, ChannelNameError};
use bmt_shared::error::ErrorCode;
use bmt_shared::permission::{Action, Membership, can};
use leptos::html::Input;
use leptos::prelude::*;
use leptos_router::hooks::use_navigate;

use crate::i18n::Words;
use crate::store::{Store, use_store};

fn malformed(words: &Words, error: ChannelNameError) -> String {
    match error {
        ChannelNameError::Empty => words.channels.name_empty.to_owned(),
        ChannelNameError::TooLong => words.channels.name_too_long.to_owned(),
        ChannelNameError::BadCharacter(character) => (words.channels.name_character)(character),
    }
}

/// Looks at a name before the server is asked; whether the user is a member only the server knows.
fn check(store: Store, name: &str) -> Result<ChannelName, String> {
    let words = store.words_now();
    let topic = ChannelName::parse(name).map_err(|error| malformed(words, error))?;
    let user = store.session.with_untracked(|session| session.user().cloned());
    let answer = user.map(|user| can(&user, &topic, Action::Subscribe, Membership::Owner));
    match answer {
        Some(Err(ErrorCode::ChannelNotFound)) => Err((words.channels.name_namespace)(topic.namespace())),
        Some(Err(code)) => Err(crate::i18n::refusal(words, code.as_str())),
        Some(Ok(())) | None => Ok(topic),
    }
}

/// The form; closes itself by `open`.
#[component]
pub(super) fn JoinForm(open: RwSignal<bool>) -> impl IntoView {
    let store = use_store();
    let navigate = use_navigate();
    let field = NodeRef::<Input>::new();
    let error = RwSignal::new(None::<String>);
    Effect::new(move |_| {
        if let Some(field) = field.get() {
            let _ = field.focus();
        }
    });
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let Some(input) = field.get_untracked() else {
            return;
        };
        match check(store, input.value().trim()) {
            Ok(topic) => {
                open.set(false);
                navigate(
                    &format!("/chat/{topic}"),
                    leptos_router::NavigateOptions::default(),
                );
            }
            Err(sentence) => {
                error.set(Some(sentence));
                let _ = input.focus();
            }
        }
    };
    view! {
        <form
            class="join"
            on:submit=submit
            on:keydown=move |event| {
                if event.key() == "Escape" {
                    open.set(false);
                }
            }
        >
            <div class="field">
                <label class="field-label" for="join-name">
                    {move || store.words().channels.join_label}
                </label>
                <input
                    class="input"
                    id="join-name"
                    name="channel"
                    autocomplete="off"
                    autocapitalize="none"
                    spellcheck="false"
                    aria-describedby="join-hint"
                    aria-invalid=move || error.get().map(|_| "true")
                    node_ref=field
                    on:input=move |_| error.set(None)
                />
                {hint(store, error)}
            </div>
            <div class="join-actions">
                <button class="button button-small" type="button" on:click=move |_| open.set(false)>
                    {move || store.words().cancel}
                </button>
                <button class="button button-main button-small" type="submit">
                    {move || store.words().channels.join_submit}
                </button>
            </div>
        </form>
    }
}

/// What is wrong with the name, or how names look.
fn hint(store: Store, error: RwSignal<Option<String>>) -> impl IntoView {
    view! {
        <span id="join-hint" role="status">
            {move || match error.get() {
                Some(sentence) => view! { <span class="field-error">{sentence}</span> },
                None => {
                    let hint = store.words().channels.join_hint.to_owned();
                    view! { <span class="field-hint">{hint}</span> }
                }
            }}
        </span>
    }
}
