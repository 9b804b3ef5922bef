//! Pages that are none: nothing at the address, or nothing for this user.

use leptos::prelude::*;
use leptos_router::components::A;

use super::icon::Icon;
use crate::browser::address::link;
use crate::store::use_store;

/// Nothing has this address.
#[component]
pub(crate) fn NotFound() -> impl IntoView {
    let store = use_store();
    view! {
        <section class="blank">
            <span class="blank-mark">{Icon::Compass.draw(26)}</span>
            <h1>{move || store.words().trouble.not_found_title}</h1>
            <p>{move || store.words().trouble.not_found_lead}</p>
            <A href=link("/chat") attr:class="button">
                {move || store.words().trouble.home}
            </A>
        </section>
    }
}

/// What is at the address is not for this user.
#[component]
pub(crate) fn Refused() -> impl IntoView {
    let store = use_store();
    view! {
        <section class="blank">
            <span class="blank-mark">{Icon::Lock.draw(26)}</span>
            <h1>{move || store.words().trouble.refused_title}</h1>
            <p>{move || store.words().trouble.refused_lead}</p>
            <A href=link("/chat") attr:class="button">
                {move || store.words().trouble.home}
            </A>
        </section>
    }
}
