//! The toasts, at the edge of the window.

use bmt_shared::event::Level;
use leptos::prelude::*;

use super::icon::Icon;
use crate::state::notices::Toast;
use crate::store::use_store;
use crate::toasts::use_toasts;

/// All of them. The region is always there, so that screen readers hear what is put into it.
#[component]
pub(super) fn ToastStack() -> impl IntoView {
    let store = use_store();
    let toasts = use_toasts();
    let notices = toasts.notices();
    view! {
        <section
            class="toasts"
            role="region"
            aria-live="polite"
            aria-label=move || store.words().shell.toasts
            on:pointerenter=move |_| toasts.pause()
            on:pointerleave=move |_| toasts.resume()
            on:focusin=move |_| toasts.pause()
            on:focusout=move |_| toasts.resume()
        >
            <For
                each=move || notices.with(|notices| notices.visible().to_vec())
                key=|toast| (toast.id, toast.count)
                children=move |toast| view! { <OneToast toast=toast /> }
            />
            {move || {
                let hidden = notices.with(crate::state::notices::Notices::hidden);
                (hidden > 0)
                    .then(|| {
                        view! {
                            <span class="toasts-more">{(store.words().shell.more_toasts)(hidden)}</span>
                        }
                    })
            }}
        </section>
    }
}

#[component]
fn OneToast(toast: Toast) -> impl IntoView {
    let store = use_store();
    let toasts = use_toasts();
    let level = match toast.level {
        Level::Info => "info",
        Level::Warning => "warning",
        Level::Error => "error",
    };
    let id = toast.id;
    let count = (toast.count > 1).then(|| view! { <span class="toast-count">"×" {toast.count}</span> });
    view! {
        <div class="toast" data-testid="toast" data-level=level>
            <p><bdi>{toast.text}</bdi> " " {count}</p>
            <button
                class="button-icon"
                type="button"
                aria-label=move || store.words().close
                on:click=move |_| toasts.dismiss(id)
            >
                {Icon::Close.draw(16)}
            </button>
        </div>
    }
}
