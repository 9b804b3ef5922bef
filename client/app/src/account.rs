//! Signing in, staying so, and signing out: tokens live in memory, the session in a cookie that no script sees
//! (SPEC §2).

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use bmt_shared::identity::User;
use futures::FutureExt;
use futures::future::{LocalBoxFuture, Shared};
use gloo_timers::callback::Timeout;
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

use crate::browser::fetch::{self, FetchTrouble};
use crate::browser::{clock, keep};
use crate::state::session::{LoginTrouble, Session, SignedOut};

// Relative to the page's base.
const LOGIN: &str = "api/v1/auth/login";
const REFRESH: &str = "api/v1/auth/refresh";
const LOGOUT: &str = "api/v1/auth/logout";

/// A token with less time left than this is renewed before it is used, ms.
const MARGIN_MS: u64 = 60_000;
/// How long a renewal that found no server waits for the next try, ms.
const RETRY_MS: u32 = 10_000;

/// The body of a login.
#[derive(Serialize)]
struct Credentials<'a> {
    username: &'a str,
    password: &'a str,
}

/// The answer to a login and to a renewal.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Granted {
    access_token: String,
    /// Seconds.
    expires_in: u64,
    user: User,
}

struct Token {
    text: String,
    life_ms: u64,
    steady_at: u64,
    wall_at: u64,
}

impl Token {
    /// How old it is, ms. A clock may be set and the other may stand still: whichever says more is believed, because
    /// a token that is renewed too early harms nobody.
    fn age_ms(&self) -> u64 {
        let by_steady = clock::steady().saturating_sub(self.steady_at);
        by_steady.max(clock::now().saturating_sub(self.wall_at))
    }
}

/// Why there is no token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoToken {
    /// The session is over: only a password helps.
    Over,
    /// The server could not be asked.
    Unreachable,
}

type Renewal = Shared<LocalBoxFuture<'static, Result<(), NoToken>>>;

struct Inner {
    session: RwSignal<Session>,
    token: RefCell<Option<Token>>,
    renewal: RefCell<Option<Renewal>>,
    /// Renews shortly before the token ends.
    timer: RefCell<Option<Timeout>>,
    logging_in: Cell<bool>,
}

/// The account of this tab. A clone is a handle.
#[derive(Clone)]
pub(crate) struct Account(Rc<Inner>);

impl Account {
    /// Nobody is signed in yet; `session` shows what becomes of it.
    pub(crate) fn new(session: RwSignal<Session>) -> Self {
        Self(Rc::new(Inner {
            session,
            token: RefCell::default(),
            renewal: RefCell::default(),
            timer: RefCell::default(),
            logging_in: Cell::new(false),
        }))
    }

    /// Goes on with the session that this browser has, if it has one.
    pub(crate) async fn restore(&self) {
        if keep::get::<String>(keep::SESSION).is_none() {
            self.show(Session::SignedOut(SignedOut::Never));
            return;
        }
        match self.renew().await {
            Ok(()) => {}
            Err(NoToken::Over) => {
                keep::forget(keep::SESSION);
                self.show(Session::SignedOut(SignedOut::Never));
            }
            Err(NoToken::Unreachable) => self.show(Session::SignedOut(SignedOut::Unreachable)),
        }
    }

    /// Signs in. A second call while one is under way does nothing and answers none.
    pub(crate) async fn login(&self, username: &str, password: &str) -> Option<Result<(), LoginTrouble>> {
        if username.is_empty() || password.is_empty() {
            return Some(Err(LoginTrouble::Incomplete));
        }
        if self.0.logging_in.replace(true) {
            return None;
        }
        let credentials = Credentials { username, password };
        let answer = fetch::post::<_, Granted>(LOGIN, &credentials).await;
        self.0.logging_in.set(false);
        Some(match answer {
            Ok(granted) => {
                keep::set(keep::USERNAME, &username);
                self.take(granted);
                Ok(())
            }
            Err(FetchTrouble::Unreachable) => Err(LoginTrouble::Unreachable),
            Err(FetchTrouble::Refused {
                status,
                code,
                retry_after_ms,
            }) => Err(LoginTrouble::of_refusal(status, &code, retry_after_ms)),
        })
    }

    /// The name that was last signed in with in this browser.
    pub(crate) fn username(&self) -> String {
        keep::get(keep::USERNAME).unwrap_or_default()
    }

    /// Signs out here and in every other tab. The server is told; that it cannot be reached keeps nobody in.
    pub(crate) async fn logout(&self) {
        keep::forget(keep::SESSION);
        self.end(SignedOut::Asked);
        let _ = fetch::post_empty(LOGOUT).await;
    }

    /// Another tab signed out, or in as somebody else.
    pub(crate) fn follow(&self, user_id: Option<&str>) {
        let session = self.0.session.get_untracked();
        let mine = session.user().map(|user| user.user_id.as_str());
        match (mine, user_id) {
            (Some(_), None) => self.end(SignedOut::Asked),
            // This tab's page, drafts and queue are another user's: it begins anew as the new one.
            (mine, Some(other)) if mine != Some(other) => reload(),
            _ => {}
        }
    }

    /// A token that holds for a while yet, renewed if need be.
    pub(crate) async fn token(&self) -> Result<String, NoToken> {
        if !self.is_fresh() {
            self.renew().await?;
        }
        let token = self.0.token.borrow();
        token
            .as_ref()
            .map(|token| token.text.clone())
            .ok_or(NoToken::Over)
    }

    /// The server refused the token: the next one is a new one.
    pub(crate) fn distrust(&self) {
        self.0.token.replace(None);
    }

    /// The session is over by itself: the page stays, and asks for the password.
    pub(crate) fn expire(&self) {
        self.0.token.replace(None);
        self.0.timer.replace(None);
        let session = self.0.session.get_untracked();
        if let Session::SignedIn(user) = session {
            self.show(Session::Expired(user));
        }
    }

    fn is_fresh(&self) -> bool {
        let token = self.0.token.borrow();
        token
            .as_ref()
            .is_some_and(|token| token.age_ms() + MARGIN_MS < token.life_ms)
    }

    /// Renews the token; who asks meanwhile waits for the same answer.
    async fn renew(&self) -> Result<(), NoToken> {
        let running = self.0.renewal.borrow().clone();
        if let Some(renewal) = running {
            return renewal.await;
        }
        let account = self.clone();
        let renewal = async move {
            let answer = fetch::post::<_, Granted>(REFRESH, &serde_json::Map::new()).await;
            account.0.renewal.replace(None);
            match answer {
                Ok(granted) => {
                    account.take(granted);
                    Ok(())
                }
                Err(FetchTrouble::Refused {
                    status: 401 | 403, ..
                }) => {
                    account.expire();
                    Err(NoToken::Over)
                }
                Err(_) => {
                    account.renew_in(RETRY_MS);
                    Err(NoToken::Unreachable)
                }
            }
        }
        .boxed_local()
        .shared();
        self.0.renewal.replace(Some(renewal.clone()));
        renewal.await
    }

    fn take(&self, granted: Granted) {
        let life_ms = granted.expires_in * 1_000;
        self.0.token.replace(Some(Token {
            text: granted.access_token,
            life_ms,
            steady_at: clock::steady(),
            wall_at: clock::now(),
        }));
        // Before `token` would find it stale, so that nobody waits for a renewal.
        let early = life_ms.saturating_sub(2 * MARGIN_MS).max(life_ms / 2);
        self.renew_in(u32::try_from(early).unwrap_or(u32::MAX / 2));
        let user_id = granted.user.user_id.as_str();
        if keep::get::<String>(keep::SESSION).as_deref() != Some(user_id) {
            keep::set(keep::SESSION, &user_id);
        }
        let page_of_another = self.0.session.with_untracked(|session| {
            session
                .user()
                .is_some_and(|user| user.user_id != granted.user.user_id)
        });
        if page_of_another {
            // Drafts and queue on this page are not theirs: the page begins anew.
            reload();
            return;
        }
        let changed = self
            .0
            .session
            .with_untracked(|session| *session != Session::SignedIn(granted.user.clone()));
        if changed {
            self.show(Session::SignedIn(granted.user));
        }
    }

    /// Sets the timer in place of the one before: each renewal sets its own.
    fn renew_in(&self, ms: u32) {
        let account = self.clone();
        let timer = Timeout::new(ms, move || {
            leptos::task::spawn_local(async move {
                let signed_in = account
                    .0
                    .session
                    .with_untracked(|session| session.user().is_some());
                if signed_in {
                    let _ = account.renew().await;
                }
            });
        });
        self.0.timer.replace(Some(timer));
    }

    fn end(&self, why: SignedOut) {
        self.0.token.replace(None);
        self.0.timer.replace(None);
        self.show(Session::SignedOut(why));
    }

    fn show(&self, session: Session) {
        self.0.session.try_set(session);
    }
}

fn reload() {
    if let Some(window) = web_sys::window() {
        // It fails where the page is being left already.
        let _ = window.location().reload();
    }
}
