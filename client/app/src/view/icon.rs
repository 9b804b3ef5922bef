//! The app's icons: strokes in the colour of the text around them. Always beside words, or under a label.

use leptos::prelude::*;

/// Which one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Icon {
    /// The product's mark.
    Mark,
    /// Chat.
    Chat,
    /// Settings.
    Settings,
    /// Log out.
    Logout,
    /// A public channel.
    Hash,
    /// A closed channel.
    Lock,
    /// A channel of one user.
    Person,
    /// A channel of the system.
    Bell,
    /// Add.
    Plus,
    /// Back.
    Left,
    /// To the newest.
    Down,
    /// Send.
    Send,
    /// Close.
    Close,
    /// Something is wrong.
    Alert,
    /// Waits.
    Clock,
    /// Password readable.
    Eye,
    /// Password unreadable.
    EyeOff,
    /// Again.
    Retry,
    /// Nothing at this address.
    Compass,
}

impl Icon {
    fn paths(self) -> &'static [&'static str] {
        match self {
            Self::Mark => &[
                "M12 15.5a3.5 3.5 0 0 0 0-7",
                "M12 19.5a7.5 7.5 0 0 0 0-15",
                "M7.5 12h.01",
            ],
            Self::Chat => &["M20 11.5a7.5 7.5 0 0 1-7.5 7.5H5l1.6-2.7A7.5 7.5 0 1 1 20 11.5z"],
            Self::Settings => &["M4 7h9", "M17 7h3", "M4 17h3", "M11 17h9", "M15 5v4", "M9 15v4"],
            Self::Logout => &["M14 5H6v14h8", "M11 12h9", "M17 9l3 3-3 3"],
            Self::Hash => &["M9.5 4.5l-2 15", "M16.5 4.5l-2 15", "M5 9.5h15", "M4 14.5h15"],
            Self::Lock => &["M6.5 11h11v8.5h-11z", "M8.5 11V8a3.5 3.5 0 0 1 7 0v3"],
            Self::Person => &[
                "M12 12a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7z",
                "M5 20a7 7 0 0 1 14 0",
            ],
            Self::Bell => &["M6.5 16.5V11a5.5 5.5 0 0 1 11 0v5.5l1.5 1.5H5z", "M10.5 20.5h3"],
            Self::Plus => &["M12 5v14", "M5 12h14"],
            Self::Left => &["M15 5l-7 7 7 7"],
            Self::Down => &["M12 5v14", "M6 13l6 6 6-6"],
            Self::Send => &["M12 19V5", "M6 11l6-6 6 6"],
            Self::Close => &["M6 6l12 12", "M18 6L6 18"],
            Self::Alert => &["M12 4.5l8.5 15h-17z", "M12 10.5v4", "M12 17h.01"],
            Self::Clock => &["M12 20a8 8 0 1 0 0-16 8 8 0 0 0 0 16z", "M12 8v4.2l2.8 1.8"],
            Self::Eye => &[
                "M2.5 12S6 5.5 12 5.5 21.5 12 21.5 12 18 18.5 12 18.5 2.5 12 2.5 12z",
                "M12 14.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5z",
            ],
            Self::EyeOff => &[
                "M9.8 5.8A9 9 0 0 1 12 5.5c6 0 9.5 6.5 9.5 6.5a16 16 0 0 1-2.7 3.4",
                "M6.3 7.7A15 15 0 0 0 2.5 12S6 18.5 12 18.5a9 9 0 0 0 4.6-1.3",
                "M4 4l16 16",
            ],
            Self::Retry => &["M19 12a7 7 0 1 1-2.2-5.1", "M19.5 4v4h-4"],
            Self::Compass => &[
                "M12 20.5a8.5 8.5 0 1 0 0-17 8.5 8.5 0 0 0 0 17z",
                "M15.5 8.5l-2 5-5 2 2-5z",
            ],
        }
    }

    /// Draws it, this many px wide and high.
    pub(crate) fn draw(self, size: u32) -> impl IntoView {
        let width = match self {
            Self::Mark | Self::Send => "2.2",
            _ => "1.8",
        };
        let paths: Vec<_> = self.paths().iter().map(|d| view! { <path d=*d /> }).collect();
        view! {
            <svg
                viewBox="0 0 24 24"
                width=size
                height=size
                fill="none"
                stroke="currentColor"
                stroke-width=width
                stroke-linecap="round"
                stroke-linejoin="round"
                aria-hidden="true"
            >
                {paths}
                {(self == Self::Mark)
                    .then(|| view! { <circle cx="7.5" cy="12" r="2" fill="currentColor" stroke="none" /> })}
            </svg>
        }
    }
}
