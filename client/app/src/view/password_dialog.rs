//! The password asked for over the page when the session has ended by itself: nothing below is lost.

use leptos::html::{Dialog, Input};
use leptos::prelude::*;
use leptos::task::spawn_local;

use super::icon::Icon;
use super::login::{PasswordField, UsernameField, focus, trouble, value_of};
use crate::live::use_live;
use crate::state::session::{LoginTrouble, Session};
use crate::store::use_store;

/// Shows itself while the session is expired.
#[component]
pub(super) fn PasswordDialog() -> impl IntoView {
    let store = use_store();
    let expired = Memo::new(move |_| match store.session.get() {
        Session::Expired(user) => Some(user.name),
        _ => None,
    });
    move || expired.get().map(|name| view! { <Ask name=name /> })
}

#[component]
fn Ask(name: String) -> impl IntoView {
    let store = use_store();
    let live = use_live();
    let dialog = NodeRef::<Dialog>::new();
    let username = NodeRef::<Input>::new();
    let password = NodeRef::<Input>::new();
    let failed = RwSignal::new(None::<LoginTrouble>);
    let running = RwSignal::new(false);

    Effect::new(move |_| {
        if let Some(dialog) = dialog.get()
            && !dialog.open()
        {
            // It fails only for a dialog that is open or detached.
            let _ = dialog.show_modal();
            focus(password);
        }
    });
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let name = value_of(username).trim().to_owned();
        spawn_local(async move {
            running.set(true);
            let answer = live.account().login(&name, &value_of(password)).await;
            running.try_set(false);
            if let Some(Err(trouble)) = answer {
                failed.try_set(Some(trouble));
                focus(password);
            }
        });
    };
    view! {
        <dialog
            class="dialog"
            node_ref=dialog
            aria-labelledby="again-title"
            on:cancel=move |event: web_sys::Event| event.prevent_default()
        >
            <form class="dialog-body" on:submit=submit>
                <h2 id="again-title">{move || store.words().login.again_title}</h2>
                <p>{move || (store.words().login.again_lead)(&name)}</p>
                <UsernameField id="again-username" node=username value=live.account().username() />
                <PasswordField id="again-password" node=password />
                <div role="alert">
                    {move || {
                        failed
                            .get()
                            .map(|why| {
                                view! {
                                    <p class="callout callout-bad" data-testid="login-error">
                                        {Icon::Alert.draw(18)}
                                        <span>{trouble(store.words(), why)}</span>
                                    </p>
                                }
                            })
                    }}
                </div>
                <div class="dialog-actions">
                    <button
                        class="button"
                        type="button"
                        on:click=move |_| spawn_local(async move { live.account().logout().await })
                    >
                        {move || store.words().login.someone_else}
                    </button>
                    <button
                        class="button button-main"
                        type="submit"
                        aria-disabled=move || running.get().then_some("true")
                        data-testid="login-submit"
                    >
                        {move || {
                            let login = &store.words().login;
                            if running.get() { login.submitting } else { login.submit }
                        }}
                    </button>
                </div>
            </form>
        </dialog>
    }
}
