//! `docs/ERROR_CODES.md`: why requests are refused and connections end.

use std::fmt::Write;

use bmt_shared::close::{AfterClose, CloseCode};
use bmt_shared::error::{AuthReason, ErrorCode};

use crate::page::{self, documentation, heading, row};

const ERROR: &str = include_str!("../../../shared/src/error.rs");
const CLOSE: &str = include_str!("../../../shared/src/close.rs");

const OPENING: &str = "\
# Error and close codes

A refused request is answered `{type:\"error\", id, status:\"error\", code, error, message, retryAfterMs?}`: `code` is
for programs and stays, `message` (and the same text in `error`) is for people and may change. HTTP answers with the
same object and the status of the table.

## Why a request is refused

\"Again\" says whether the same request may succeed later without being changed; `retryAfterMs`, where it is there,
says when.

";

const AUTHENTICATION: &str = "
## Why a token is refused

Socket.IO says `connect_error` with the message `Authentication failed: <reason>`; HTTP answers 401 with
`authentication_failed`.

";

const CLOSING: &str = "
## Why a connection is closed

The close code of the raw WebSocket. Over Socket.IO the event `closing {code, reason, retryAfterMs?}` carries the
same code before the server ends a connection.

";

#[test]
fn error_codes_are_those_of_the_protocol() {
    let mut text = OPENING.to_owned();
    text += &heading(["code", "number (raw)", "HTTP", "again", "when"]);
    for code in ErrorCode::ALL {
        text += &row([
            &format!("`{code}`"),
            &code.number().to_string(),
            &code.http_status().to_string(),
            if code.is_retryable() { "yes" } else { "no" },
            &documented(ERROR, &format!("{code:?} =")),
        ]);
    }
    text += AUTHENTICATION;
    text += &heading(["reason", "when"]);
    for reason in AuthReason::ALL {
        text += &row([
            &format!("`{}`", reason.as_str()),
            &documented(ERROR, &format!("{reason:?},")),
        ]);
    }
    text += CLOSING;
    text += &heading(["code", "when", "what a client does"]);
    for code in CloseCode::ALL {
        text += &row([
            &code.number().to_string(),
            &documented(CLOSE, &format!("{code:?} =")),
            &advice(code.after()),
        ]);
    }
    let _ = write!(
        text,
        "\nA code that is not in the table is one to come back after.\n"
    );
    page::is("ERROR_CODES.md", &text);
}

fn documented(source: &str, item: &str) -> String {
    documentation(source, item).unwrap_or_else(|| panic!("`{item}` has no documentation"))
}

fn advice(after: AfterClose) -> String {
    match after {
        AfterClose::Reconnect => "comes back".to_owned(),
        AfterClose::ReconnectAfter(ms) => format!("comes back after {} s at least", ms / 1_000),
        AfterClose::ReconnectWithNewToken => "asks for a new token, then comes back".to_owned(),
        AfterClose::DropMessageAndReconnect => "reports and drops the message, then comes back".to_owned(),
        AfterClose::Stay => "stays away until the application says otherwise".to_owned(),
    }
}
