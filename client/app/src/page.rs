//! The page table: which address is which page, who may see it, and whether it needs the connection (SPEC §11).

use bmt_shared::identity::{Role, User};

/// How long a page that needs no connection leaves it open, ms: long enough to come back without a reconnect.
pub(crate) const LINGER_MS: u32 = 10_000;

/// A page of the app.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum PageId {
    /// Asks who is there.
    Login,
    /// Channels and their messages.
    Chat,
    /// Language and appearance.
    Settings,
    /// No page has this address.
    NotFound,
}

/// What a page's connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ConnectionType {
    /// The page has none.
    None,
    /// Channels are subscribed and written to.
    Chat,
    /// Nothing of its own: the user stays present, unread counts stay true.
    Presence,
}

/// What a page does with its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Feature {
    /// Messages are sent and received.
    Messaging,
    /// Unread counts are kept.
    Unread,
}

/// A row of the page table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Page {
    /// Which page.
    pub(crate) id: PageId,
    /// Its address without parameters: `/chat` stands for `/chat/:channel?` too.
    pub(crate) path: &'static str,
    /// Whether it uses the shared connection at all.
    pub(crate) enabled: bool,
    /// Whether only who is signed in sees it.
    pub(crate) require_auth: bool,
    /// Whether it brings the connection up by itself.
    pub(crate) auto_connect: bool,
    /// What for.
    pub(crate) connection_type: ConnectionType,
    /// What it does with it.
    pub(crate) features: &'static [Feature],
    /// Who sees it, once signed in.
    pub(crate) roles: &'static [Role],
}

const EVERYBODY: &[Role] = &[Role::Admin, Role::User, Role::Guest];

/// Every page. The last row answers for addresses that are none.
pub(crate) const PAGES: &[Page] = &[
    Page {
        id: PageId::Login,
        path: "/login",
        enabled: false,
        require_auth: false,
        auto_connect: false,
        connection_type: ConnectionType::None,
        features: &[],
        roles: EVERYBODY,
    },
    Page {
        id: PageId::Chat,
        path: "/chat",
        enabled: true,
        require_auth: true,
        auto_connect: true,
        connection_type: ConnectionType::Chat,
        features: &[Feature::Messaging, Feature::Unread],
        roles: EVERYBODY,
    },
    Page {
        id: PageId::Settings,
        path: "/settings",
        enabled: true,
        require_auth: true,
        auto_connect: true,
        connection_type: ConnectionType::Presence,
        features: &[Feature::Unread],
        roles: EVERYBODY,
    },
    Page {
        id: PageId::NotFound,
        path: "",
        enabled: false,
        require_auth: false,
        auto_connect: false,
        connection_type: ConnectionType::None,
        features: &[],
        roles: EVERYBODY,
    },
];

/// The row for an address. `/` is the chat.
#[must_use]
pub(crate) fn page_at(path: &str) -> &'static Page {
    let path = path.trim_end_matches('/');
    let path = if path.is_empty() { "/chat" } else { path };
    PAGES
        .iter()
        .find(|page| {
            let rest = path.strip_prefix(page.path).filter(|_| !page.path.is_empty());
            match (page.id, rest) {
                (_, Some("")) => true,
                // One more segment: the channel.
                (PageId::Chat, Some(rest)) => rest.starts_with('/') && !rest[1..].contains('/'),
                _ => false,
            }
        })
        .unwrap_or(&PAGES[PAGES.len() - 1])
}

/// The address of the login that leads back to `path` afterwards.
#[must_use]
pub(crate) fn login_address(path: &str) -> String {
    if page_at(path).id == PageId::Chat && path.trim_end_matches('/').len() <= "/chat".len() {
        return "/login".to_owned();
    }
    // The paths of our pages hold nothing that a query would read otherwise, but addresses can be typed.
    let escaped = path
        .replace('%', "%25")
        .replace('&', "%26")
        .replace('#', "%23")
        .replace('+', "%2B");
    format!("/login?next={escaped}")
}

/// Where to go after the login: a page of ours, whatever the query says.
#[must_use]
pub(crate) fn safe_next(next: Option<&str>) -> String {
    let ours = next.filter(|next| {
        let id = page_at(next).id;
        next.starts_with('/') && id != PageId::NotFound && id != PageId::Login
    });
    ours.unwrap_or("/chat").to_owned()
}

/// What an address shows to who is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    /// The page.
    Show,
    /// The login, and the page afterwards.
    SignIn,
    /// The page is not for this user.
    Refuse,
}

/// Decides who enters; `user` is none where nobody is signed in.
#[must_use]
pub(crate) fn entry(page: &Page, user: Option<&User>) -> Entry {
    match user {
        None if page.require_auth => Entry::SignIn,
        Some(user) if !page.roles.contains(&user.role) => Entry::Refuse,
        _ => Entry::Show,
    }
}

/// What becomes of the shared connection on a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Connection {
    /// It is brought up, or stays.
    Open,
    /// It is left as it is.
    Keep,
    /// It closes after [`LINGER_MS`], unless another page wants it until then.
    CloseSoon,
    /// It closes now: nobody is signed in whose connection it could be.
    Close,
}

/// Decides about the shared connection.
#[must_use]
pub(crate) fn connection(page: &Page, user: Option<&User>) -> Connection {
    match user {
        None => Connection::Close,
        Some(_) if !page.enabled || entry(page, user) != Entry::Show => Connection::CloseSoon,
        Some(_) if page.auto_connect => Connection::Open,
        Some(_) => Connection::Keep,
    }
}

#[cfg(test)]
mod tests {
    use bmt_shared::id::UserId;

    use super::*;

    fn user(role: Role) -> User {
        User {
            user_id: UserId::new("u"),
            name: "u".to_owned(),
            role,
            permissions: Vec::new(),
        }
    }

    #[test]
    fn every_page_connects_or_not_as_its_row_says() {
        let rows = [
            // address, page, signed out, signed in
            ("/login", PageId::Login, Connection::Close, Connection::CloseSoon),
            ("/", PageId::Chat, Connection::Close, Connection::Open),
            ("/chat", PageId::Chat, Connection::Close, Connection::Open),
            ("/chat/", PageId::Chat, Connection::Close, Connection::Open),
            (
                "/chat/public:general",
                PageId::Chat,
                Connection::Close,
                Connection::Open,
            ),
            ("/settings", PageId::Settings, Connection::Close, Connection::Open),
            (
                "/settings/x",
                PageId::NotFound,
                Connection::Close,
                Connection::CloseSoon,
            ),
            (
                "/chat/a/b",
                PageId::NotFound,
                Connection::Close,
                Connection::CloseSoon,
            ),
            (
                "/chatter",
                PageId::NotFound,
                Connection::Close,
                Connection::CloseSoon,
            ),
        ];
        for (path, id, signed_out, signed_in) in rows {
            let page = page_at(path);
            assert_eq!(page.id, id, "{path}");
            assert_eq!(connection(page, None), signed_out, "{path}");
            for role in [Role::Admin, Role::User, Role::Guest] {
                assert_eq!(connection(page, Some(&user(role))), signed_in, "{path} {role:?}");
            }
        }
    }

    #[test]
    fn a_page_without_auto_connect_leaves_the_connection_as_it_is() {
        let page = Page {
            auto_connect: false,
            ..*page_at("/chat")
        };
        assert_eq!(connection(&page, Some(&user(Role::User))), Connection::Keep);
    }

    #[test]
    fn a_page_for_administrators_refuses_others_and_takes_no_connection_for_them() {
        let page = Page {
            roles: &[Role::Admin],
            ..*page_at("/settings")
        };
        assert_eq!(entry(&page, None), Entry::SignIn);
        assert_eq!(entry(&page, Some(&user(Role::Guest))), Entry::Refuse);
        assert_eq!(connection(&page, Some(&user(Role::User))), Connection::CloseSoon);
        assert_eq!(entry(&page, Some(&user(Role::Admin))), Entry::Show);
        assert_eq!(connection(&page, Some(&user(Role::Admin))), Connection::Open);
    }

    #[test]
    fn a_login_leads_back_to_our_pages_and_nowhere_else() {
        assert_eq!(login_address("/chat"), "/login");
        assert_eq!(login_address("/chat/public:x"), "/login?next=/chat/public:x");
        for ours in ["/chat/public:x", "/settings"] {
            assert_eq!(safe_next(Some(ours)), ours);
        }
        for other in [
            "//evil.example",
            "https://evil.example",
            "/\\evil.example",
            "/login",
            "/nowhere",
            "",
        ] {
            assert_eq!(safe_next(Some(other)), "/chat", "{other}");
        }
        assert_eq!(safe_next(None), "/chat");
    }

    #[test]
    fn the_table_is_consistent() {
        for page in PAGES {
            assert_eq!(
                page.enabled,
                page.connection_type != ConnectionType::None,
                "{}",
                page.path
            );
            assert!(page.enabled || (!page.auto_connect && page.features.is_empty()));
        }
    }
}
