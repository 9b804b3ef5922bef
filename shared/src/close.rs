//! WebSocket close codes and what a client does after each (SPEC §7, RFC 6455 §7.4).

/// What a client does after a connection closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterClose {
    /// Come back by the reconnect policy.
    Reconnect,
    /// Come back, but not before this many ms.
    ReconnectAfter(u64),
    /// Ask for a new token, then come back.
    ReconnectWithNewToken,
    /// Drop and report the message that was too large, then come back.
    DropMessageAndReconnect,
    /// Stay away until the application says otherwise.
    Stay,
}

macro_rules! close_codes {
    ($($(#[$doc:meta])* $name:ident = $number:literal, $after:expr;)*) => {
        /// The codes this product sends or gives a meaning to.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum CloseCode { $($(#[$doc])* $name,)* }

        impl CloseCode {
            /// Every code of the table.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The number on the wire.
            #[must_use]
            pub fn number(self) -> u16 {
                match self { $(Self::$name => $number),* }
            }

            /// Reads a number; `None` where it is not in the table.
            #[must_use]
            pub fn from_number(number: u16) -> Option<Self> {
                match number { $($number => Some(Self::$name),)* _ => None }
            }

            /// What a client does after this code.
            #[must_use]
            pub fn after(self) -> AfterClose {
                match self { $(Self::$name => $after),* }
            }
        }
    };
}

/// How long a client stays away at least after 1001: proxies send it when they restart.
pub const GOING_AWAY_DELAY_MS: u64 = 5_000;

close_codes! {
    /// The work is done.
    Normal = 1000, AfterClose::Stay;
    /// The page or a proxy goes away.
    GoingAway = 1001, AfterClose::ReconnectAfter(GOING_AWAY_DELAY_MS);
    /// A frame broke the WebSocket protocol.
    Protocol = 1002, AfterClose::Stay;
    /// A kind of data this endpoint does not take.
    UnsupportedData = 1003, AfterClose::Stay;
    /// Closed without a code.
    NoStatus = 1005, AfterClose::Reconnect;
    /// The connection broke.
    Abnormal = 1006, AfterClose::Reconnect;
    /// Text that is not UTF-8.
    BadData = 1007, AfterClose::Stay;
    /// Not welcome: do not come back.
    Policy = 1008, AfterClose::Stay;
    /// A frame over the limit.
    TooLarge = 1009, AfterClose::DropMessageAndReconnect;
    /// The server failed.
    ServerError = 1011, AfterClose::Reconnect;
    /// The server restarts.
    Restart = 1012, AfterClose::Reconnect;
    /// The server is full for the moment.
    TryLater = 1013, AfterClose::Reconnect;
    /// A proxy could not reach the server.
    BadGateway = 1014, AfterClose::Reconnect;
    /// The TLS handshake failed.
    TlsHandshake = 1015, AfterClose::Reconnect;
    /// The token's time is over.
    TokenExpired = 4001, AfterClose::ReconnectWithNewToken;
    /// An administrator ended the connection.
    Kicked = 4002, AfterClose::Stay;
    /// The client read too slowly; what it missed is in the history.
    SlowConsumer = 4003, AfterClose::Reconnect;
    /// No heartbeat came.
    HeartbeatTimeout = 4004, AfterClose::Reconnect;
    /// A limit of the server was reached.
    LimitReached = 4005, AfterClose::Reconnect;
}

/// What a client does after `number`; codes outside the table reconnect.
#[must_use]
pub fn after_close(number: u16) -> AfterClose {
    CloseCode::from_number(number).map_or(AfterClose::Reconnect, CloseCode::after)
}

/// Whether a client comes back after `number` at all: the SDK's `shouldReconnect(code)`.
#[must_use]
pub fn should_reconnect(number: u16) -> bool {
    after_close(number) != AfterClose::Stay
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_the_specification_holds() {
        for stays in [1000, 1002, 1003, 1007, 1008, 4002] {
            assert!(!should_reconnect(stays), "{stays}");
        }
        for returns in [
            1001, 1005, 1006, 1009, 1011, 1012, 1013, 1014, 1015, 4001, 4003, 4004, 4005, 4999,
        ] {
            assert!(should_reconnect(returns), "{returns}");
        }
        assert_eq!(after_close(1001), AfterClose::ReconnectAfter(5_000));
    }
}
