//! Socket.IO connections (SPEC §6). All of socketioxide stays in here.
//!
//! What the library does not do by itself, where it is covered, and the test (in `server/tests/connections` where
//! no other place is named) that fails without the cover; `cargo xtask covers` shows that it does:
//!
//! | the library | the cover | the test |
//! |---|---|---|
//! | runs handlers as tasks of their own, which lose the order of arrival | `intake` is a handler that runs in place | `publishes_fired_over_…_are_stored_in_the_order_of_sending` |
//! | drops events that arrive before a handler is there | `connect` sets the handler before CONNECT is answered | `events_right_behind_the_connect_answer_are_taken` |
//! | shows the private Engine.IO id as the socket's id | it is never read but to find a session; `ConnectionId` is minted | `the_private_session_id_is_in_nothing_that_is_said`, `ten_thousand_names_are_128_random_bits_each` (`link`) |
//! | drops packets when its buffer is full | `writer` checks each emit and keeps a window; a slow reader fills the outbox | `a_poll_that_comes_late_finds_all_that_waited`, `an_upgrade_that_comes_late_brings_all_that_waited` |
//! | ends a session whose buffer is full when a ping is due | the window is a part of the buffer, which `endpoint` sets | `a_poll_that_comes_late_finds_its_session` |
//! | calls no callback where a body does not parse | `intake` reads nothing but the name; what does not parse is refused under its callback | `a_body_that_cannot_be_read_is_answered_under_its_callback` |
//! | writes for as long as a peer takes something | `writer` leaves what waits behind at a close, `stream` limits the last words | `a_stuck_client_does_not_hold_up_the_end_of_the_server`, `a_trickle_does_not_prolong_the_end` (`stream`) |
//! | writes without a time limit where it takes nothing | not in here: `serve` ends every stalled connection | `the_presence_of_a_stalled_reader_leaves_with_it`, `a_peer_that_talks_and_takes_nothing_is_dropped_when_only_the_kernel_holds_its_answers` |
//! | cannot close one session without a DISCONNECT | `stream` ends below it; for polling, `endpoint` posts a CLOSE | `the_servers_end_tells_everybody_when_to_come_back_and_closes_the_transport`, `a_polling_session_is_closed_without_a_disconnect` |
//! | waits in its own close for every write, and without it holds its handlers for ever | `endpoint` deletes the namespace, which waits for nothing | `the_servers_end_tells_everybody_when_to_come_back_and_closes_the_transport` |
//! | answers every CONNECT, as many as come | `transport` counts the answers and closes | `a_thousand_namespaces_end_the_session_on_each_transport` |
//! | takes messages of 64 MiB and frames of 16 | `endpoint` sets both limits, and that of a POST | `a_frame_is_refused_by_its_head_and_not_waited_for`, `a_message_of_many_frames_is_limited_as_a_whole`, `frames_over_the_limit_close_the_session` |
//! | has time limits of its own for a session without a user and for an upgrade | `endpoint` sets both to the time for authentication | `a_session_without_a_user_ends_in_time_on_each_transport`, `an_upgrade_that_is_begun_and_not_finished_ends_in_time` |
//! | has limits of its own for attachments | `endpoint` limits their number, sum and time | `more_than_ten_attachments_close_the_session`, `the_attachments_of_an_event_are_limited_as_a_whole`, `attachments_that_come_too_late_end_the_session` |
//! | lets a handshake through that lacks everything but a key | `endpoint` checks it (RFC 6455) | `a_broken_websocket_handshake_is_refused_on_both_endpoints` |
//! | waits for the body of a POST as long as it takes | `endpoint` gives it a time limit | `a_post_that_never_ends_is_given_up` |
//! | keeps a session whose poll was given up | `endpoint` closes it | `a_poll_that_is_given_up_closes_the_session` (`protocol::engine_io`) |
//! | closes a healthy session when it is upgraded twice | `transport` lets the first upgrade through only | `a_session_is_upgraded_once_and_the_first_upgrade_survives` |
//! | encodes each packet for each receiver, and hands it from task to task | `stream` writes shared frames between the library's own | none: a matter of speed (`cargo xtask bench`) |
//! | answers polls with nothing while a WebSocket waits for its probe | `endpoint` hands it over when the client has spoken | `a_websocket_that_says_nothing_leaves_its_session_on_polling` (`protocol::engine_io`) |
//! | ends a poll with an empty body when its session ends | `endpoint` makes it a noop | `a_poll_that_ends_with_its_session_is_a_noop_and_not_empty` (`protocol::engine_io`) |
//! | leaves a session behind whose upgrade failed | `endpoint` closes it when the stream is gone | `a_failed_upgrade_ends_the_session_at_once` |

mod body;
mod connect;
mod endpoint;
mod frames;
mod intake;
mod outflow;
mod query;
mod stream;
mod transport;
mod writer;

pub(super) use endpoint::Endpoint;

/// The answer to a page of an origin that may not connect.
pub(super) fn foreign() -> axum::response::Response {
    axum::response::IntoResponse::into_response(query::Refused::Forbidden)
}
