//! From "connect" to the greeting, and from a lost connection to the next attempt.

use bmt_shared::close::{AfterClose, CloseCode, after_close};
use bmt_shared::codec::json;
use bmt_shared::error::ErrorCode;

use crate::client::Client;
use crate::config::Binding;
use crate::connection::{AuthTry, Host, Phase, Refresh, TOKEN_TIMEOUT_MS};
use crate::error::ClientError;
use crate::event::{Disconnected, Event, Reconnecting};
use crate::face::Face;
use crate::link::Link;
use crate::now::Now;
use crate::output::Output;
use crate::state::Status;

impl<F: Face> Client<F> {
    /// Connects, and stays connected until `disconnect`. Does nothing while that is so already.
    pub fn connect(&mut self, now: Now) {
        self.set_now(now);
        if matches!(self.connection.phase, Phase::Idle | Phase::GivenUp) {
            self.connection.auth = AuthTry::First;
            self.connection.attempts_since_greeting = 0;
            self.connection.state.reconnect_attempts = 0;
            self.set_status(Status::Connecting, None);
            self.attempt();
        }
    }

    /// Says good-bye and stays away. The queue and the wanted subscriptions are kept for the next `connect`.
    pub fn disconnect(&mut self, now: Now) {
        self.set_now(now);
        self.say_farewell();
        self.close_transport(CloseCode::Normal, "client disconnect");
        self.end(CloseCode::Normal.number(), "client disconnect", false);
        self.cancel_calls();
        self.leave_group();
        self.connection.phase = Phase::Idle;
        self.connection.state.next_retry_at = None;
        self.set_status(Status::Disconnected, Some("client disconnect".to_owned()));
    }

    /// Tries again at once, also after giving up. A delay that the server asked for is kept.
    pub fn retry_now(&mut self, now: Now) {
        self.set_now(now);
        match self.connection.phase {
            Phase::Waiting { .. } => self.retry_early(),
            Phase::GivenUp => {
                self.connection.auth = AuthTry::First;
                self.connection.state.reconnect_attempts = 0;
                self.set_status(Status::Reconnecting, None);
                self.connection.phase = Phase::Waiting { retry_at: None };
                self.retry_early();
            }
            _ => {}
        }
    }

    /// The application's answer to [`Output::AskToken`]: a token with or without `Bearer `, nothing for a guest,
    /// or a sentence why there is none.
    pub fn handle_token(&mut self, now: Now, token: Result<Option<String>, String>) {
        self.set_now(now);
        if self.connection.online().is_some() {
            return self.refresh_with(token);
        }
        if !matches!(self.connection.phase, Phase::Token { .. }) {
            return;
        }
        match token {
            Ok(token) => {
                self.connection.take_token(token);
                self.open();
            }
            Err(why) => {
                self.tell(Event::Error(ClientError::Token(why.clone())));
                self.lost(CloseCode::NoStatus.number(), &why, AfterClose::Reconnect);
            }
        }
    }

    /// The same from an application that has this one token and no source of others: once it was refused it is not
    /// tried again.
    pub fn handle_fixed_token(&mut self, now: Now, token: Option<String>) {
        let is_refused = self.connection.auth == AuthTry::Refused && self.connection.token == token;
        if is_refused && matches!(self.connection.phase, Phase::Token { .. }) {
            self.set_now(now);
            return self.give_up_token(self.connection.state.error.clone());
        }
        self.handle_token(now, Ok(token));
    }

    /// The WebSocket is open.
    pub fn handle_opened(&mut self, now: Now) {
        self.set_now(now);
        if self.probe_opened() {
            return;
        }
        if let Phase::Opening { .. } = self.connection.phase {
            self.begin_greeting();
        }
    }

    /// The WebSocket is closed, or could not be opened: 1006 where no close frame came. Never call it for a
    /// transport that [`Output::Close`] has ended.
    pub fn handle_closed(&mut self, now: Now, code: u16, reason: &str) {
        self.set_now(now);
        if !self.connection.has_transport() || self.probe_closed() {
            return;
        }
        let is_opening = matches!(self.connection.phase, Phase::Opening { .. });
        if !is_opening || !self.fall_back() {
            let after = self.after_transport_closed(code);
            self.lost(code, reason, after);
        }
    }

    /// What the host says of its network: without one, retries pause; when it is back, they are made at once.
    pub fn handle_online(&mut self, now: Now, online: bool) {
        self.set_now(now);
        self.connection.host = if online { Host::Online } else { Host::Offline };
        self.forget_network();
        match &mut self.connection.phase {
            Phase::Waiting { retry_at } if !online => {
                *retry_at = None;
                self.connection.state.next_retry_at = None;
            }
            Phase::Waiting { .. } => self.retry_early(),
            // The socket may not know yet that it is dead.
            Phase::Online(_) => self.probe(),
            _ => {}
        }
    }

    /// The page is looked at again: its timers may have slept.
    pub fn handle_visible(&mut self, now: Now) {
        self.set_now(now);
        match self.connection.phase {
            Phase::Waiting { .. } if self.connection.host == Host::Online => self.retry_early(),
            Phase::Online(_) => self.probe(),
            _ => {}
        }
    }

    /// Begins an attempt: first of all a token.
    pub(super) fn attempt(&mut self) {
        self.connection.attempts_since_greeting += 1;
        self.connection.state.next_retry_at = None;
        self.connection.closing = None;
        let until = self.after(TOKEN_TIMEOUT_MS);
        self.connection.phase = Phase::Token { until };
        self.outputs.push_back(Output::AskToken);
    }

    fn open(&mut self) {
        self.link = Link::new(self.config.binding);
        self.connection.ping_budget_ms = None;
        self.connection.ping_due = None;
        self.begin_opening();
        self.open_carrier();
    }

    pub(super) fn begin_opening(&mut self) {
        let until = self.after(self.config.connect_timeout_ms);
        self.connection.phase = Phase::Opening { until };
    }

    pub(super) fn begin_greeting(&mut self) {
        let until = self.after(self.config.connect_timeout_ms);
        self.connection.phase = Phase::Greeting { until };
    }

    pub(super) fn retry_early(&mut self) {
        if self.is_due(self.connection.floor_ms) {
            self.attempt();
        } else {
            self.wait_until(self.connection.floor_ms);
        }
    }

    /// Gives the transport up from this side, and goes on as after a lost one.
    pub(super) fn give_up(&mut self, code: CloseCode, reason: &'static str) {
        self.close_transport(code, reason);
        self.lost(code.number(), reason, AfterClose::Reconnect);
    }

    pub(super) fn close_transport(&mut self, code: CloseCode, reason: &'static str) {
        if self.connection.has_transport() {
            // Browsers let a page send 1000 and 3000 to 4999 only.
            let code = match code.number() {
                private @ 4000.. => private,
                _ => CloseCode::Normal.number(),
            };
            self.close_carrier(code, reason);
        }
    }

    /// The server has refused the credentials, or the connection.
    pub(super) fn refused(&mut self, data: Option<&str>) {
        let refusal = Refusal::read(data);
        self.close_transport(CloseCode::Normal, "refused");
        self.note_retry_after(refusal.retry_after_ms);
        let after = if refusal.is_authentication() {
            AfterClose::ReconnectWithNewToken
        } else if refusal.retry_after_ms.is_some() || refusal.is_retryable() {
            AfterClose::Reconnect
        } else {
            AfterClose::Stay
        };
        self.lost(CloseCode::Policy.number(), &refusal.message, after);
    }

    /// The server has refused the token on the raw binding, where that is an error frame (SPEC §7).
    pub(super) fn refused_token(&mut self, message: &str) {
        self.close_transport(CloseCode::Normal, "refused");
        self.lost(
            CloseCode::Policy.number(),
            message,
            AfterClose::ReconnectWithNewToken,
        );
    }

    /// The server has ended the session by a packet of its own: what it said before decides, else it stays so.
    pub(super) fn left(&mut self) {
        self.close_transport(CloseCode::Normal, "server disconnect");
        let told = self.connection.closing.as_ref().map(|closing| closing.code);
        let code = told.unwrap_or(CloseCode::Kicked.number());
        let after = told.map_or(AfterClose::Stay, after_close);
        self.lost(code, "io server disconnect", after);
    }

    /// Notes how long the server wants to be left alone.
    pub(super) fn note_retry_after(&mut self, retry_after_ms: Option<u64>) {
        if let Some(ms) = retry_after_ms {
            self.connection.floor_ms = self.connection.floor_ms.max(self.after(ms));
        }
    }

    fn after_transport_closed(&self, code: u16) -> AfterClose {
        if let Some(closing) = &self.connection.closing {
            return after_close(closing.code);
        }
        // Engine.IO servers close with 1000 whatever the reason is; they say good-bye by a packet.
        if self.link.binding() == Binding::SocketIo && code == CloseCode::Normal.number() {
            return AfterClose::Reconnect;
        }
        after_close(code)
    }

    /// The attempt or the connection is over: what comes next.
    pub(super) fn lost(&mut self, code: u16, reason: &str, after: AfterClose) {
        let reason = match &self.connection.closing {
            Some(closing) if !closing.reason.is_empty() => closing.reason.clone(),
            _ => reason.to_owned(),
        };
        let is_a_tabs_fault = self.tell_tabs_of_end(code, &reason, after);
        if after == AfterClose::DropMessageAndReconnect && !is_a_tabs_fault {
            self.drop_too_large();
        }
        self.connection.state.error = Some(reason.clone());
        let comes_back = self.config.reconnect.enabled && after != AfterClose::Stay;
        self.end(code, &reason, comes_back);
        match after {
            AfterClose::Stay => self.give_up_trying(code, reason),
            AfterClose::ReconnectWithNewToken => self.retry_with_new_token(reason),
            AfterClose::ReconnectAfter(ms) => {
                self.note_retry_after(Some(ms));
                self.schedule(reason);
            }
            AfterClose::Reconnect | AfterClose::DropMessageAndReconnect => self.schedule(reason),
        }
        if matches!(self.connection.phase, Phase::GivenUp) {
            self.leave_group();
        }
    }

    fn give_up_trying(&mut self, code: u16, reason: String) {
        self.connection.phase = Phase::GivenUp;
        self.connection.state.next_retry_at = None;
        let status = if code == CloseCode::Normal.number() {
            Status::Disconnected
        } else {
            Status::Failed
        };
        self.set_status(status, Some(reason));
    }

    fn retry_with_new_token(&mut self, reason: String) {
        if self.connection.auth == AuthTry::Second {
            return self.give_up_token(Some(reason));
        }
        self.connection.auth = AuthTry::Refused;
        self.set_status(Status::Reconnecting, Some(reason));
        self.retry_early();
    }

    fn give_up_token(&mut self, reason: Option<String>) {
        self.tell(Event::TokenExpired);
        self.connection.phase = Phase::GivenUp;
        // Another tab may have a better one.
        self.leave_group();
        self.set_status(Status::Failed, reason);
    }

    fn schedule(&mut self, reason: String) {
        let attempts = self.connection.state.reconnect_attempts;
        if !self.config.reconnect.allows(attempts) {
            self.connection.phase = Phase::GivenUp;
            self.tell(Event::ReconnectFailed { attempts });
            return self.set_status(Status::Failed, Some(reason));
        }
        let delay = self.config.reconnect.delay_ms(attempts, &mut self.random);
        self.connection.state.reconnect_attempts = attempts + 1;
        let at = self.after(delay).max(self.connection.floor_ms);
        self.set_status(Status::Reconnecting, Some(reason));
        let delay_ms = if self.connection.host == Host::Online {
            self.wait_until(at);
            Some(at - self.now.monotonic_ms)
        } else {
            self.connection.phase = Phase::Waiting { retry_at: None };
            None
        };
        self.tell(Event::Reconnecting(Reconnecting {
            attempt: attempts + 1,
            delay_ms,
        }));
    }

    fn wait_until(&mut self, at: u64) {
        let in_ms = at.saturating_sub(self.now.monotonic_ms);
        self.connection.state.next_retry_at = Some(self.now.unix_ms.saturating_add(in_ms));
        self.connection.phase = Phase::Waiting { retry_at: Some(at) };
    }

    /// Ends what lived on the transport.
    pub(super) fn end(&mut self, code: u16, reason: &str, will_reconnect: bool) {
        let was_online = self.connection.online().is_some();
        // Whatever asks from here on finds no connection.
        self.connection.phase = Phase::GivenUp;
        self.connection.ping_due = None;
        self.drop_carrier();
        if was_online {
            self.connection.state.last_disconnected = Some(self.now.unix_ms);
            self.tell(Event::Disconnected(Disconnected {
                code,
                reason: reason.to_owned(),
                will_reconnect,
            }));
            self.handle_connection_lost();
        }
    }

    /// Asks for a token to go on with on the living connection.
    pub(super) fn ask_refresh(&mut self) {
        if let Some(online) = self.connection.online_mut() {
            online.refresh = Refresh::Asked;
            self.outputs.push_back(Output::AskToken);
        }
    }
}

/// What a Socket.IO CONNECT_ERROR says.
#[derive(Debug, Default, PartialEq)]
struct Refusal {
    message: String,
    code: Option<ErrorCode>,
    retry_after_ms: Option<u64>,
}

impl Refusal {
    /// Reads `{message, data?:{code, retryAfterMs?}}`, or from old servers a string.
    fn read(data: Option<&str>) -> Self {
        let mut refusal = Self::default();
        let data = data.unwrap_or("\"connection refused\"");
        let Ok(fields) = json::entries(data) else {
            refusal.message = json::unquote(data).map_or_else(|_| data.to_owned(), Into::into);
            return refusal;
        };
        for (key, value) in fields.filter_map(Result::ok) {
            match key {
                "\"message\"" => {
                    refusal.message = json::unquote(value).map_or_else(|_| String::new(), Into::into);
                }
                "\"data\"" => refusal.read_details(value),
                _ => {}
            }
        }
        refusal
    }

    fn read_details(&mut self, details: &str) {
        for (key, value) in json::entries(details)
            .into_iter()
            .flatten()
            .filter_map(Result::ok)
        {
            match key {
                "\"code\"" => self.code = json::unquote(value).ok().map(|code| ErrorCode::parse(&code)),
                "\"retryAfterMs\"" => self.retry_after_ms = json::integer(value),
                _ => {}
            }
        }
    }

    fn is_authentication(&self) -> bool {
        self.code == Some(ErrorCode::AuthenticationFailed)
            || self.message.starts_with("Authentication failed")
    }

    fn is_retryable(&self) -> bool {
        self.code.as_ref().is_some_and(ErrorCode::is_retryable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_of_every_age_are_understood() {
        let new = r#"{"message":"no","data":{"code":"rate_limited","retryAfterMs":7}}"#;
        assert_eq!(
            Refusal::read(Some(new)),
            Refusal {
                message: "no".to_owned(),
                code: Some(ErrorCode::RateLimited),
                retry_after_ms: Some(7)
            }
        );
        assert!(Refusal::read(Some(r#""Authentication failed: expired""#)).is_authentication());
        assert!(!Refusal::read(None).is_authentication());
    }
}
