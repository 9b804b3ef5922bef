//! One raw connection's task: reads frames, hands them on, writes what the outbox holds.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bmt_shared::close::CloseCode;
use bmt_shared::codec::raw::Envelope;
use bmt_shared::error::{AuthReason, ErrorCode, Failure};
use bmt_shared::event::{Closing, ServerEvent};
use bmt_shared::id::MessageId;
use serde::Deserialize;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, Sleep};

use super::super::arrival::Arrival;
use super::super::link::{Alarm, closing};
use super::super::requests::Incoming;
use super::super::staged::STAGE_BYTES;
use super::super::{Connection, Context};
use super::batch::Batch;
use super::frames;
use super::opening::{Credential, Opening};
use super::outflow::{Spoken, speak};
use super::wire::{Arrived, FAREWELL, Wire};
use crate::auth::Identity;
use crate::outbox::{Next, Outgoing};
use crate::socket::Socket;

/// Serves one connection from its handshake to its end.
pub(super) struct Pump<S> {
    context: Arc<Context>,
    arrival: Arc<Arrival>,
    wire: Wire<S>,
    /// Where its bytes go, until a shard knows.
    socket: Option<Socket>,
    /// Where the client asked for several envelopes in one frame.
    batch: Option<Batch>,
    heard: Instant,
    pinged: bool,
    /// Armed for [`Pump::due`], or for a moment before it: what comes in between is looked at when it fires.
    timer: Pin<Box<Sleep>>,
    alarm: Alarm,
}

/// Why the connection is over.
enum Over {
    /// The peer or the network closed it.
    Gone,
    /// It is closed by this side, with this.
    Close(CloseCode, String),
}

impl From<io::Error> for Over {
    fn from(_: io::Error) -> Self {
        Self::Gone
    }
}

/// Where a `ping` carries its time beside the envelope's, or instead of it.
#[derive(Deserialize)]
struct PingBody {
    timestamp: u64,
}

fn timestamp_of(data: &str) -> Option<u64> {
    serde_json::from_str(data)
        .ok()
        .map(|PingBody { timestamp }| timestamp)
}

/// The body of the first frame where `?auth=frame` was asked for.
#[derive(Deserialize)]
struct AuthBody {
    token: Option<String>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Pump<S> {
    pub(super) fn new(
        context: Arc<Context>,
        arrival: Arc<Arrival>,
        stream: S,
        socket: Option<Socket>,
    ) -> Self {
        let most = usize::try_from(context.settings.frame_bytes).unwrap_or(usize::MAX);
        let interval_ms = context.settings.heartbeat.interval_ms;
        Self {
            context,
            arrival,
            wire: Wire::new(stream, most),
            socket,
            batch: None,
            heard: Instant::now(),
            pinged: false,
            timer: Box::pin(tokio::time::sleep(Duration::from_millis(interval_ms))),
            alarm: Alarm::new(),
        }
    }

    // What happens once in a connection's life is boxed: the task keeps room only for what it waits in.
    pub(super) async fn serve(&mut self, opening: Opening) {
        let Opening {
            credential,
            batch,
            client_id,
            ..
        } = opening;
        self.batch = batch.then(Batch::default);
        let over = match Box::pin(self.authenticate(credential)).await {
            Ok(connection) => self.attend(&connection, client_id.as_deref()).await,
            Err(over) => over,
        };
        Box::pin(self.finish(over)).await;
    }

    /// Serves an authenticated connection until it is over.
    async fn attend(&mut self, connection: &Arc<Connection>, client_id: Option<&str>) -> Over {
        let outbox = &connection.outbox;
        // Envelopes that are to be gathered into frames are its task's to gather.
        if let (Some(socket), None) = (self.socket.take(), &self.batch) {
            self.wire.outlet().open(connection, socket);
            outbox.attach(self.wire.outlet().clone());
        }
        let over = tokio::select! {
            over = self.run(connection, client_id) => over,
            // Who does not take what comes before the close hears the code, if anything.
            () = outbox.overdue(FAREWELL) => match outbox.skip_to_close() {
                Next::Send(Outgoing::Close(closing)) => self.say_closing(closing),
                _ => self.say_slow(),
            },
        };
        match &over {
            Over::Close(CloseCode::HeartbeatTimeout, _) => connection.lapse(),
            _ => connection.end(),
        }
        over
    }

    async fn authenticate(&mut self, credential: Credential) -> Result<Arc<Connection>, Over> {
        let now_ms = self.context.now_ms();
        let token = match credential {
            Credential::Token(token) => token,
            Credential::Ticket(ticket) => {
                return match self.context.node.authenticator.redeem(&ticket, now_ms) {
                    Ok(identity) => Ok(self.begin(identity)),
                    Err(reason) => Err(self.refuse_token(reason)),
                };
            }
            Credential::FirstFrame => {
                let limit = Duration::from_millis(self.context.settings.authenticate_ms);
                match tokio::time::timeout(limit, self.first_frame()).await {
                    Ok(token) => token?,
                    Err(_) => return Err(self.refuse_token(AuthReason::Missing)),
                }
            }
        };
        let now_ms = self.context.now_ms();
        match self
            .context
            .node
            .authenticator
            .admit(token.as_deref(), now_ms)
            .await
        {
            Ok(identity) => Ok(self.begin(identity)),
            Err(_) if self.context.node.authenticator.cannot_judge(token.as_deref()) => {
                let spread = self.context.settings.retry_spread_ms;
                Err(self.say_closing(closing(CloseCode::TryLater, "keys_out_of_reach", Some(spread))))
            }
            Err(reason) => Err(self.refuse_token(reason)),
        }
    }

    fn begin(&self, identity: Identity) -> Arc<Connection> {
        Connection::begin(&self.context, identity, self.arrival.clone())
    }

    /// Waits for the first frame and takes the token out of it.
    async fn first_frame(&mut self) -> Result<Option<String>, Over> {
        loop {
            match self.wire.take() {
                Some(Arrived::Text(text)) => {
                    let body = Envelope::decode(&text)
                        .ok()
                        .filter(|envelope| envelope.kind == "auth");
                    let body = body.and_then(|envelope| serde_json::from_str::<AuthBody>(envelope.data).ok());
                    return match body {
                        Some(body) => Ok(body.token),
                        None => Err(self.refuse_token(AuthReason::Malformed)),
                    };
                }
                Some(Arrived::Alive) => {}
                Some(Arrived::Binary(_)) => return Err(self.refuse_token(AuthReason::Malformed)),
                Some(Arrived::Closed) => return Err(Over::Gone),
                Some(Arrived::Fault(code)) => return Err(self.say_fault(code)),
                None => poll_fn(|cx| self.wire.poll(cx)).await?,
            }
        }
    }

    fn refuse_token(&mut self, reason: AuthReason) -> Over {
        self.context.turn_away(&self.arrival, reason);
        self.wire.stage_text(&frames::unauthenticated(reason));
        let code = if reason == AuthReason::Expired {
            CloseCode::TokenExpired
        } else {
            CloseCode::Policy
        };
        Over::Close(code, "authentication_failed".to_owned())
    }

    async fn run(&mut self, connection: &Arc<Connection>, client_id: Option<&str>) -> Over {
        loop {
            while let Some(arrived) = self.wire.take() {
                if let Err(over) = self.handle(connection, arrived) {
                    return over;
                }
            }
            if let Err(over) = self.stage(connection, client_id) {
                return over;
            }
            if let Err(over) = self.wait(connection).await {
                return over;
            }
        }
    }

    /// Takes from the outbox what fits into one write.
    fn stage(&mut self, connection: &Connection, client_id: Option<&str>) -> Result<(), Over> {
        while self.staged() < STAGE_BYTES {
            match connection.outbox.next() {
                Next::Send(outgoing) => match speak(connection, outgoing, client_id) {
                    Spoken::Event(event) => self.say_frame(event.raw_frame(frames::event)),
                    Spoken::Envelope(envelope) => self.say(&envelope),
                    Spoken::Nothing => {}
                    Spoken::Close(closing) => return Err(self.say_closing(closing)),
                },
                Next::Wait => break,
                Next::Overflowed => return Err(self.say_slow()),
            }
        }
        self.flush_batch();
        Ok(())
    }

    fn staged(&self) -> usize {
        self.wire.waiting() + self.batch.as_ref().map_or(0, Batch::len)
    }

    fn say(&mut self, envelope: &str) {
        match &mut self.batch {
            Some(batch) => batch.push_text(envelope.as_bytes(), &mut self.wire),
            None => self.wire.stage_text(envelope),
        }
    }

    fn say_frame(&mut self, frame: &[u8]) {
        match &mut self.batch {
            Some(batch) => batch.push(frame, &mut self.wire),
            None => self.wire.stage(frame),
        }
    }

    fn flush_batch(&mut self) {
        if let Some(batch) = &mut self.batch {
            batch.flush(&mut self.wire);
        }
    }

    fn say_slow(&mut self) -> Over {
        self.context.shards.meters().slow_consumers.add(1);
        let spread = self.context.settings.retry_spread_ms;
        self.say_closing(closing(CloseCode::SlowConsumer, "slow_consumer", Some(spread)))
    }

    /// The peer broke the rules. Only after a message that was too large may it come back by itself (SPEC §7).
    fn say_fault(&mut self, code: CloseCode) -> Over {
        let spread = self.context.settings.retry_spread_ms;
        let (reason, retry) = match code {
            CloseCode::TooLarge => ("message_too_large", Some(spread)),
            CloseCode::BadData => ("invalid_utf8", None),
            _ => ("protocol_error", None),
        };
        self.say_closing(closing(code, reason, retry))
    }

    fn say_closing(&mut self, closing: Closing) -> Over {
        let code = CloseCode::from_number(closing.code).unwrap_or(CloseCode::ServerError);
        let reason = closing.reason.clone();
        self.flush_batch();
        self.wire
            .stage_last(&frames::event(&ServerEvent::Closing(closing)));
        Over::Close(code, reason)
    }

    /// Waits until something can be read, written or taken from the outbox, or the clock asks for something.
    async fn wait(&mut self, connection: &Connection) -> Result<(), Over> {
        let due = self.due();
        if due < self.timer.deadline() {
            self.timer.as_mut().reset(due);
        }
        let full = self.wire.waiting() >= STAGE_BYTES;
        if let Some(pause) = connection.pause() {
            return self.wait_unread(connection, pause, full).await;
        }
        tokio::select! {
            progress = poll_fn(|cx| self.wire.poll(cx)) => {
                progress?;
                connection.note_traffic();
            }
            () = connection.wait_for_more(&mut self.alarm), if !full => {}
            () = self.timer.as_mut() => return self.sound(),
        }
        Ok(())
    }

    /// The same while nothing is to be read from the peer, whose signs of life are not seen then.
    async fn wait_unread(
        &mut self,
        connection: &Connection,
        pause: Duration,
        full: bool,
    ) -> Result<(), Over> {
        self.heard = Instant::now();
        tokio::select! {
            wrote = poll_fn(|cx| self.wire.poll_write(cx)) => wrote?,
            () = connection.wait_for_more(&mut self.alarm), if !full => {}
            () = tokio::time::sleep(pause) => {}
        }
        Ok(())
    }

    /// When the clock asks next whether the peer is there.
    fn due(&self) -> Instant {
        let heartbeat = &self.context.settings.heartbeat;
        let silence = if self.pinged {
            heartbeat.interval_ms + heartbeat.timeout_ms
        } else {
            heartbeat.interval_ms
        };
        self.heard + Duration::from_millis(silence)
    }

    fn sound(&mut self) -> Result<(), Over> {
        let result = if Instant::now() < self.due() {
            Ok(())
        } else {
            self.ask()
        };
        let due = self.due();
        self.timer.as_mut().reset(due);
        result
    }

    fn ask(&mut self) -> Result<(), Over> {
        if self.pinged {
            let spread = self.context.settings.retry_spread_ms;
            let closing = closing(CloseCode::HeartbeatTimeout, "heartbeat_timeout", Some(spread));
            return Err(self.say_closing(closing));
        }
        self.wire.stage_ping();
        self.pinged = true;
        Ok(())
    }

    fn handle(&mut self, connection: &Arc<Connection>, arrived: Arrived) -> Result<(), Over> {
        self.heard = Instant::now();
        self.pinged = false;
        match arrived {
            Arrived::Text(text) => self.handle_text(connection, &text),
            Arrived::Binary(_) => {
                let message = "this endpoint takes JSON in text frames; send binary content as a file, \
                               or over Socket.IO";
                self.strike(connection, None, message.to_owned());
            }
            Arrived::Alive => {}
            Arrived::Closed => return Err(Over::Gone),
            Arrived::Fault(code) => return Err(self.say_fault(code)),
        }
        Ok(())
    }

    fn handle_text(&mut self, connection: &Arc<Connection>, text: &str) {
        let envelope = match Envelope::decode(text) {
            Ok(envelope) => envelope,
            Err(error) => return self.strike(connection, None, error.to_string()),
        };
        connection.forgive();
        if envelope.kind == "ping" {
            let timestamp = envelope.timestamp.or_else(|| timestamp_of(envelope.data));
            return self.wire.stage_text(&frames::pong(timestamp));
        }
        let message_id = match envelope.message_id.as_deref().map(MessageId::parse).transpose() {
            Ok(message_id) => message_id,
            Err(error) => {
                let failure = Failure::new(ErrorCode::InvalidMessage, error.to_string());
                return connection.refuse_frame(None, None, failure);
            }
        };
        // A heartbeat's time stands in the envelope, and may stand in its data as over Socket.IO.
        let heartbeat;
        let body = match (envelope.kind.as_ref(), envelope.data, envelope.timestamp) {
            ("heartbeat", "null", Some(timestamp)) => {
                heartbeat = format!("{{\"timestamp\":{timestamp}}}");
                &heartbeat
            }
            ("heartbeat", "null", None) => "{}",
            (_, data, _) => data,
        };
        connection.handle(Incoming {
            name: &envelope.kind,
            body,
            attachments: Vec::new(),
            message_id,
            callback: None,
        });
    }

    fn strike(&self, connection: &Connection, message_id: Option<MessageId>, message: String) {
        connection.refuse_frame(message_id, None, Failure::new(ErrorCode::InvalidMessage, message));
        connection.strike();
    }

    /// Writes the last words and hangs up.
    async fn finish(&mut self, over: Over) {
        match over {
            Over::Gone => self.wire.end().await,
            Over::Close(code, reason) => self.wire.close(code, &reason).await,
        }
    }
}
