//! English.

use super::words::{Channels, Chat, Login, Refusal, Settings, Shell, Status, Trouble, Words};

pub(super) const WORDS: Words = Words {
    skip_to_content: "Skip to content",
    retry: "Retry",
    cancel: "Cancel",
    close: "Close",
    reload: "Reload",
    loading: "Loading…",
    login: LOGIN,
    shell: SHELL,
    status: STATUS,
    channels: CHANNELS,
    chat: CHAT,
    settings: SETTINGS,
    trouble: TROUBLE,
    refusal: REFUSAL,
};

fn plural(count: u64, one: &str, many: &str) -> String {
    let noun = if count == 1 { one } else { many };
    format!("{count} {noun}")
}

const LOGIN: Login = Login {
    title: "Sign in",
    lead: "Use your account on this server.",
    username: "Username",
    password: "Password",
    show_password: "Show password",
    hide_password: "Hide password",
    submit: "Sign in",
    submitting: "Signing in…",
    incomplete: "Enter your username and your password.",
    wrong: "Username or password is wrong. Check both and try again.",
    blocked: "This account is blocked. Ask an administrator of this server to unblock it.",
    limited: |seconds| {
        let wait = plural(seconds, "second", "seconds");
        format!("Too many attempts. Wait {wait}, then try again.")
    },
    unreachable: "The server cannot be reached. Check your connection, then try again.",
    server_error: |status| {
        format!("The server could not sign you in (error {status}). Try again in a moment.")
    },
    session_ended: "Your session has ended. Sign in again to go on.",
    again_title: "Sign in again",
    again_lead: |name| {
        format!(
            "The session of {name} has ended. What you have written is kept; enter the password to go on."
        )
    },
    someone_else: "Use another account",
};

const SHELL: Shell = Shell {
    navigation: "Pages",
    chat: "Chat",
    settings: "Settings",
    logout: "Log out",
    page_title: |page| format!("{page} · BMT Realtime"),
    toasts: "Notifications",
    more_toasts: |count| format!("{count} more"),
};

const STATUS: Status = Status {
    connected: "Connected",
    connecting: "Connecting…",
    disconnected: "Disconnected",
    failed: "Connection failed",
    reconnecting: |attempt, most| match most {
        Some(most) => format!("Reconnecting, attempt {attempt} of {most}"),
        None => format!("Reconnecting, attempt {attempt}"),
    },
    next_try: |seconds| format!("next try in {seconds} s"),
    retry_now: "Reconnect now",
    latency: |ms| format!("{ms} ms"),
    queued: |count| match count {
        1 => "1 message waiting to be sent".to_owned(),
        _ => format!("{count} messages waiting to be sent"),
    },
    stale: |age| format!("Last update {age}"),
    kicked: |reason| {
        if reason.is_empty() {
            "An administrator closed this connection.".to_owned()
        } else {
            format!("An administrator closed this connection: {reason}")
        }
    },
    unreachable: "The server cannot be reached.",
    offline: "This device is offline.",
    session_over: "The session has ended.",
};

const CHANNELS: Channels = Channels {
    title: "Channels",
    join: "Join or create a channel",
    join_label: "Channel name",
    join_hint: "For example public:design. Letters, digits, - and _, with a colon between parts.",
    join_submit: "Join",
    name_empty: "Every part of the name needs at least one character.",
    name_too_long: "The name is too long: 255 characters at most, 128 in each part.",
    name_character: |character| {
        if character.is_whitespace() {
            return "A channel name has no spaces. Use letters, digits, - and _.".to_owned();
        }
        format!("“{character}” cannot stand in a channel name. Use letters, digits, - and _.")
    },
    name_namespace: |namespace| {
        format!(
            "There is no namespace “{namespace}”. Begin with public:, private: or user:, or use no colon."
        )
    },
    leave: |channel| format!("Leave {channel}"),
    unread: |count| plural(count, "unread message", "unread messages"),
    quiet: "No messages yet",
    last_line: |name, text| format!("{name}: {text}"),
    you: "You",
    none_title: "No channels",
    none_lead: "Join one to start talking.",
    back: "Back to channels",
};

const CHAT: Chat = Chat {
    timeline: |channel| format!("Messages in {channel}"),
    empty_title: |channel| format!("This is the start of {channel}"),
    empty_lead: "No messages yet: say hello.",
    none_title: "Choose a channel",
    none_lead: "Pick one from the list, or join a new one by its name.",
    loading_older: "Loading older messages…",
    older_failed: "Older messages could not be loaded.",
    beginning: "The beginning of this channel",
    today: "Today",
    yesterday: "Yesterday",
    unread_line: "New messages",
    new_below: |count| plural(count, "new message", "new messages"),
    jump_latest: "Jump to latest",
    composer: |channel| format!("Message {channel}"),
    send: "Send",
    sending: "Sending…",
    queued: "Waiting for the connection",
    failed: |reason| format!("Not sent. {reason}"),
    edit: "Edit",
    discard: "Delete",
    queue_full: |most| {
        format!("{most} messages are waiting to be sent; no more fit until the connection is back.")
    },
    too_long: "This message is too long to be sent. Shorten it or send it in parts.",
    data: "Data",
    keys: "Enter sends, Shift+Enter starts a new line",
    gap: "Some messages here are no longer kept by the server.",
    present: |count| format!("{count} here"),
    read_only: "You can read this channel but not write to it.",
};

const SETTINGS: Settings = Settings {
    title: "Settings",
    appearance: "Appearance",
    theme: "Theme",
    theme_lead: "“System” follows your device as it changes between day and night.",
    light: "Light",
    dark: "Dark",
    system: "System",
    language: "Language",
    language_lead: "Applies at once and is remembered in this browser.",
    account: "Account",
    name: "Name",
    user_id: "User ID",
    role: "Role",
    role_admin: "Administrator",
    role_user: "User",
    role_guest: "Guest",
    logout_lead: "Ends the session in every tab of this browser.",
};

const TROUBLE: Trouble = Trouble {
    not_found_title: "There is nothing at this address",
    not_found_lead: "The page may have moved, or the address has a typing mistake.",
    refused_title: "This is not open to you",
    refused_lead: "Your account does not have the permission for it. An administrator can give it to you.",
    home: "Go to chat",
    crash_title: "The app has stopped",
    crash_lead: "Something went wrong inside the app. Your drafts and the messages waiting to be sent are kept on this device; reload to go on.",
    crash_copy: "Copy details",
    crash_copied: "Copied",
    crash_details: "Details",
    storage: "This browser keeps nothing for us: drafts and waiting messages last only until the page closes.",
};

const REFUSAL: Refusal = Refusal {
    connect_error: "The connection could not be made. It is tried again by itself.",
    authentication_failed: "The server does not accept this session any more. Sign in again.",
    invalid_protocol: "This page and the server speak different versions. Reload the page.",
    server_error: "The server had a problem. Try again in a moment.",
    invalid_message: "The server could not read this message. Change it and try again.",
    message_too_large: "The message is too large. Shorten it or send it in parts.",
    rate_limited: "That was too much at once. Wait a moment, then try again.",
    idempotency_conflict: "A message with the same number but another text was sent before. Send it as a new one.",
    channel_not_found: "There is no such channel. Check the first part of its name.",
    subscribe_failed: "This channel is full, or you have joined too many. Leave one, then try again.",
    permission_denied: "You do not have the permission for this channel. An administrator can give it to you.",
    invalid_operation: "This is not possible at the moment. Reload the page and try again.",
    connection_not_found: "That connection is gone already.",
    queue_expired: "It waited too long for a connection. Send it again.",
    queue_overflow: "Too many messages were waiting for a connection. Send it again.",
    unknown: |code| format!("The server refused it ({code}). Try again, or ask an administrator."),
};
