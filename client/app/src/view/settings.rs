//! The settings page: appearance, language, account.

use bmt_shared::identity::Role;
use leptos::prelude::*;
use leptos::task::spawn_local;

use super::icon::Icon;
use crate::browser::appearance::{self, Theme};
use crate::i18n::{Language, Words};
use crate::live::use_live;
use crate::store::use_store;

/// The page.
#[component]
pub(crate) fn SettingsPage() -> impl IntoView {
    let store = use_store();
    view! {
        <div class="settings">
            <div class="settings-column">
                <h1>{move || store.words().settings.title}</h1>
                <section class="settings-section" aria-labelledby="settings-appearance">
                    <h2 id="settings-appearance">{move || store.words().settings.appearance}</h2>
                    <div class="settings-card">
                        <ThemeSetting />
                        <LanguageSetting />
                    </div>
                </section>
                <AccountSection />
            </div>
        </div>
    }
}

fn theme_name(words: &Words, theme: Theme) -> &'static str {
    match theme {
        Theme::Light => words.settings.light,
        Theme::Dark => words.settings.dark,
        Theme::System => words.settings.system,
    }
}

#[component]
fn ThemeSetting() -> impl IntoView {
    let store = use_store();
    let choices = Theme::ALL.map(|theme| {
        view! {
            <label>
                <input
                    type="radio"
                    name="theme"
                    value=theme.as_str()
                    prop:checked=move || store.theme.get() == theme
                    on:change=move |_| {
                        appearance::set_theme(theme);
                        store.theme.set(theme);
                    }
                />
                <span>{move || theme_name(store.words(), theme)}</span>
            </label>
        }
    });
    view! {
        <div class="setting">
            <div class="setting-words">
                <strong id="setting-theme">{move || store.words().settings.theme}</strong>
                <span>{move || store.words().settings.theme_lead}</span>
            </div>
            <div class="choice" role="radiogroup" aria-labelledby="setting-theme" data-testid="theme">
                {choices.into_iter().collect_view()}
            </div>
        </div>
    }
}

#[component]
fn LanguageSetting() -> impl IntoView {
    let store = use_store();
    let choices = Language::ALL.map(|language| {
        view! {
            <label lang=language.tag()>
                <input
                    type="radio"
                    name="language"
                    value=language.tag()
                    prop:checked=move || store.language.get() == language
                    on:change=move |_| {
                        appearance::keep_language(language);
                        store.language.set(language);
                    }
                />
                <span>{language.own_name()}</span>
            </label>
        }
    });
    view! {
        <div class="setting">
            <div class="setting-words">
                <strong id="setting-language">{move || store.words().settings.language}</strong>
                <span>{move || store.words().settings.language_lead}</span>
            </div>
            <div class="choice" role="radiogroup" aria-labelledby="setting-language" data-testid="language">
                {choices.into_iter().collect_view()}
            </div>
        </div>
    }
}

#[component]
fn AccountSection() -> impl IntoView {
    let store = use_store();
    let live = use_live();
    let user = Memo::new(move |_| store.session.with(|session| session.user().cloned()));
    let name = move || user.get().map(|user| user.name);
    let id = move || user.get().map(|user| user.user_id.to_string());
    let role = move || {
        let settings = &store.words().settings;
        user.get().map(|user| match user.role {
            Role::Admin => settings.role_admin,
            Role::User => settings.role_user,
            Role::Guest => settings.role_guest,
        })
    };
    view! {
        <section class="settings-section" aria-labelledby="settings-account">
            <h2 id="settings-account">{move || store.words().settings.account}</h2>
            <div class="settings-card">
                <div class="setting">
                    <strong>{move || store.words().settings.name}</strong>
                    <span class="setting-value">{name}</span>
                </div>
                <div class="setting">
                    <strong>{move || store.words().settings.role}</strong>
                    <span class="setting-value">{role}</span>
                </div>
                <div class="setting">
                    <strong>{move || store.words().settings.user_id}</strong>
                    <code class="setting-value">{id}</code>
                </div>
                <div class="setting">
                    <div class="setting-words">
                        <span>{move || store.words().settings.logout_lead}</span>
                    </div>
                    <button
                        class="button"
                        type="button"
                        on:click=move |_| spawn_local(async move { live.account().logout().await })
                    >
                        {Icon::Logout.draw(18)}
                        {move || store.words().shell.logout}
                    </button>
                </div>
            </div>
        </section>
    }
}
