//! What the app says, as fields: a language that forgets one does not compile.

/// All sentences of one language.
#[derive(Debug)]
pub(crate) struct Words {
    /// Jumps over the navigation.
    pub(crate) skip_to_content: &'static str,
    /// Tries once more.
    pub(crate) retry: &'static str,
    /// Leaves a thing as it was.
    pub(crate) cancel: &'static str,
    /// Closes a toast or dialog.
    pub(crate) close: &'static str,
    /// Loads the page again.
    pub(crate) reload: &'static str,
    /// The page's own word for what it waits for.
    pub(crate) loading: &'static str,

    /// The login's words.
    pub(crate) login: Login,
    /// Navigation and menus.
    pub(crate) shell: Shell,
    /// The status indicator's words.
    pub(crate) status: Status,
    /// The channel list's words.
    pub(crate) channels: Channels,
    /// Timeline and composer.
    pub(crate) chat: Chat,
    /// The settings page.
    pub(crate) settings: Settings,
    /// Pages that are none, and crashes.
    pub(crate) trouble: Trouble,
    /// Why something was refused.
    pub(crate) refusal: Refusal,
}

/// Words of the login page.
#[derive(Debug)]
pub(crate) struct Login {
    /// Heading.
    pub(crate) title: &'static str,
    /// Below the heading.
    pub(crate) lead: &'static str,
    /// Label.
    pub(crate) username: &'static str,
    /// Label.
    pub(crate) password: &'static str,
    /// Makes the password readable.
    pub(crate) show_password: &'static str,
    /// Makes it unreadable.
    pub(crate) hide_password: &'static str,
    /// The button.
    pub(crate) submit: &'static str,
    /// The button while it waits.
    pub(crate) submitting: &'static str,
    /// A field is empty.
    pub(crate) incomplete: &'static str,
    /// Name or password is wrong.
    pub(crate) wrong: &'static str,
    /// The account is blocked.
    pub(crate) blocked: &'static str,
    /// Too many tries; seconds to wait.
    pub(crate) limited: fn(seconds: u64) -> String,
    /// No answer came.
    pub(crate) unreachable: &'static str,
    /// The server failed; its HTTP status.
    pub(crate) server_error: fn(status: u16) -> String,
    /// The session ended by itself.
    pub(crate) session_ended: &'static str,
    /// Heading of the dialog over the page.
    pub(crate) again_title: &'static str,
    /// Text of that dialog; whose password.
    pub(crate) again_lead: fn(name: &str) -> String,
    /// Signs in as somebody else.
    pub(crate) someone_else: &'static str,
}

/// Words of the frame around every page.
#[derive(Debug)]
pub(crate) struct Shell {
    /// Label of the navigation for screen readers.
    pub(crate) navigation: &'static str,
    /// The chat page.
    pub(crate) chat: &'static str,
    /// The settings page.
    pub(crate) settings: &'static str,
    /// Ends the session.
    pub(crate) logout: &'static str,
    /// Title of a page: its name.
    pub(crate) page_title: fn(page: &str) -> String,
    /// Label for screen readers where toasts appear.
    pub(crate) toasts: &'static str,
    /// More toasts than fit; how many.
    pub(crate) more_toasts: fn(count: usize) -> String,
}

/// Words of the status indicator.
#[derive(Debug)]
pub(crate) struct Status {
    /// State.
    pub(crate) connected: &'static str,
    /// State.
    pub(crate) connecting: &'static str,
    /// State.
    pub(crate) disconnected: &'static str,
    /// State.
    pub(crate) failed: &'static str,
    /// State; attempt and most attempts, where there is a most.
    pub(crate) reconnecting: fn(attempt: u32, most: Option<u32>) -> String,
    /// Countdown, seconds.
    pub(crate) next_try: fn(seconds: u64) -> String,
    /// The button.
    pub(crate) retry_now: &'static str,
    /// Round-trip time, ms.
    pub(crate) latency: fn(ms: u64) -> String,
    /// Messages in the queue.
    pub(crate) queued: fn(count: usize) -> String,
    /// What is on the screen is this old; the age in words.
    pub(crate) stale: fn(age: &str) -> String,
    /// An administrator closed the connection; the reason given, if any.
    pub(crate) kicked: fn(reason: &str) -> String,
    /// Nothing was heard and nobody knows why.
    pub(crate) unreachable: &'static str,
    /// The browser says that it is offline.
    pub(crate) offline: &'static str,
    /// The session is over.
    pub(crate) session_over: &'static str,
}

/// Words of the channel list.
#[derive(Debug)]
pub(crate) struct Channels {
    /// Heading.
    pub(crate) title: &'static str,
    /// Opens the form.
    pub(crate) join: &'static str,
    /// Label of the form's field.
    pub(crate) join_label: &'static str,
    /// Below the field: what a name is.
    pub(crate) join_hint: &'static str,
    /// The form's button.
    pub(crate) join_submit: &'static str,
    /// The name has nothing in it.
    pub(crate) name_empty: &'static str,
    /// The name is too long.
    pub(crate) name_too_long: &'static str,
    /// A character does not belong in a name.
    pub(crate) name_character: fn(character: char) -> String,
    /// The namespace is unknown.
    pub(crate) name_namespace: fn(namespace: &str) -> String,
    /// Takes the channel off the list.
    pub(crate) leave: fn(channel: &str) -> String,
    /// Unread messages, for screen readers.
    pub(crate) unread: fn(count: u64) -> String,
    /// In place of the last line where there is none.
    pub(crate) quiet: &'static str,
    /// The last line; who and what.
    pub(crate) last_line: fn(name: &str, text: &str) -> String,
    /// Own name in the last line.
    pub(crate) you: &'static str,
    /// The list has nothing in it.
    pub(crate) none_title: &'static str,
    /// What to do then.
    pub(crate) none_lead: &'static str,
    /// Goes back to the list on a phone.
    pub(crate) back: &'static str,
}

/// Words of timeline and composer.
#[derive(Debug)]
pub(crate) struct Chat {
    /// Label of the list for screen readers; the channel.
    pub(crate) timeline: fn(channel: &str) -> String,
    /// A channel without messages.
    pub(crate) empty_title: fn(channel: &str) -> String,
    /// What to do then.
    pub(crate) empty_lead: &'static str,
    /// No channel is chosen.
    pub(crate) none_title: &'static str,
    /// What to do then.
    pub(crate) none_lead: &'static str,
    /// Older pages are loading.
    pub(crate) loading_older: &'static str,
    /// Older pages could not be loaded.
    pub(crate) older_failed: &'static str,
    /// The first message of the channel is on the screen.
    pub(crate) beginning: &'static str,
    /// Day separator.
    pub(crate) today: &'static str,
    /// Day separator.
    pub(crate) yesterday: &'static str,
    /// The line before the first unread message.
    pub(crate) unread_line: &'static str,
    /// New messages below; how many.
    pub(crate) new_below: fn(count: u64) -> String,
    /// Goes to the newest message.
    pub(crate) jump_latest: &'static str,
    /// Label of the composer; the channel.
    pub(crate) composer: fn(channel: &str) -> String,
    /// The button.
    pub(crate) send: &'static str,
    /// Row state.
    pub(crate) sending: &'static str,
    /// Row state while there is no connection.
    pub(crate) queued: &'static str,
    /// Row state, with the reason.
    pub(crate) failed: fn(reason: &str) -> String,
    /// Puts the text back into the composer.
    pub(crate) edit: &'static str,
    /// Drops a row that was not sent.
    pub(crate) discard: &'static str,
    /// The queue is full; how many it holds.
    pub(crate) queue_full: fn(most: usize) -> String,
    /// The text is too long; bytes over.
    pub(crate) too_long: &'static str,
    /// A message that is data, not words.
    pub(crate) data: &'static str,
    /// The keys of the composer.
    pub(crate) keys: &'static str,
    /// Some messages could not be recovered.
    pub(crate) gap: &'static str,
    /// People in the channel now.
    pub(crate) present: fn(count: usize) -> String,
    /// Who may only read.
    pub(crate) read_only: &'static str,
}

/// Words of the settings page.
#[derive(Debug)]
pub(crate) struct Settings {
    /// Heading.
    pub(crate) title: &'static str,
    /// Section.
    pub(crate) appearance: &'static str,
    /// Label.
    pub(crate) theme: &'static str,
    /// Below the label.
    pub(crate) theme_lead: &'static str,
    /// Theme.
    pub(crate) light: &'static str,
    /// Theme.
    pub(crate) dark: &'static str,
    /// Theme.
    pub(crate) system: &'static str,
    /// Label.
    pub(crate) language: &'static str,
    /// Below the label.
    pub(crate) language_lead: &'static str,
    /// Section.
    pub(crate) account: &'static str,
    /// Label.
    pub(crate) name: &'static str,
    /// Label.
    pub(crate) user_id: &'static str,
    /// Label.
    pub(crate) role: &'static str,
    /// Role.
    pub(crate) role_admin: &'static str,
    /// Role.
    pub(crate) role_user: &'static str,
    /// Role.
    pub(crate) role_guest: &'static str,
    /// Below the log-out button.
    pub(crate) logout_lead: &'static str,
}

/// Words of pages that are none, and of the crash overlay.
#[derive(Debug)]
pub(crate) struct Trouble {
    /// 404.
    pub(crate) not_found_title: &'static str,
    /// What to do.
    pub(crate) not_found_lead: &'static str,
    /// 403.
    pub(crate) refused_title: &'static str,
    /// What to do.
    pub(crate) refused_lead: &'static str,
    /// Goes to the chat.
    pub(crate) home: &'static str,
    /// The app stopped.
    pub(crate) crash_title: &'static str,
    /// What is safe, what to do.
    pub(crate) crash_lead: &'static str,
    /// Copies the report.
    pub(crate) crash_copy: &'static str,
    /// After copying.
    pub(crate) crash_copied: &'static str,
    /// Opens the report.
    pub(crate) crash_details: &'static str,
    /// The browser keeps nothing.
    pub(crate) storage: &'static str,
}

/// Why the server refused, one sentence per code of SPEC §10.
#[derive(Debug)]
pub(crate) struct Refusal {
    /// `connect_error`
    pub(crate) connect_error: &'static str,
    /// `authentication_failed`
    pub(crate) authentication_failed: &'static str,
    /// `invalid_protocol`
    pub(crate) invalid_protocol: &'static str,
    /// `server_error`
    pub(crate) server_error: &'static str,
    /// `invalid_message`
    pub(crate) invalid_message: &'static str,
    /// `message_too_large`
    pub(crate) message_too_large: &'static str,
    /// `rate_limited`
    pub(crate) rate_limited: &'static str,
    /// `idempotency_conflict`
    pub(crate) idempotency_conflict: &'static str,
    /// `channel_not_found`
    pub(crate) channel_not_found: &'static str,
    /// `subscribe_failed`
    pub(crate) subscribe_failed: &'static str,
    /// `permission_denied`
    pub(crate) permission_denied: &'static str,
    /// `invalid_operation`
    pub(crate) invalid_operation: &'static str,
    /// `connection_not_found`
    pub(crate) connection_not_found: &'static str,
    /// `queue_expired`
    pub(crate) queue_expired: &'static str,
    /// `queue_overflow`
    pub(crate) queue_overflow: &'static str,
    /// Any other code.
    pub(crate) unknown: fn(code: &str) -> String,
}
