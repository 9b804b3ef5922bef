//! What goes out: the library's buffer, peers that take nothing, and how a session is closed.

use super::{Cover, ENDPOINT, Edit, STREAM, WRITER, beside, connections};

/// Each hides the other's absence; see the cover that takes both out.
const WINDOW: Edit = Edit {
    file: WRITER,
    text: "        while !self.transport.has_room() {\n",
    instead: "        while !OUT && !self.transport.has_room() {\n",
};
const CHECK: Edit = Edit {
    file: WRITER,
    text: "                    tokio::time::timeout(RETRY, self.transport.drained()).await.ok();\n",
    instead: "                    if OUT {
                        return Ok(());
                    }
                    tokio::time::timeout(RETRY, self.transport.drained()).await.ok();
",
};

/// So do these two.
const WRITE_STALL: Edit = Edit {
    file: "server/src/serve/stream.rs",
    text: "        ready!(stalled.as_mut().poll(context));\n",
    instead: "        if OUT {
            return Poll::Pending;
        }
        ready!(stalled.as_mut().poll(context));
",
};
const KERNEL_STALL: Edit = Edit {
    file: "server/src/serve/accept.rs",
    text: "set_tcp_user_timeout(Some(stall_limit))",
    instead: "set_tcp_user_timeout((!OUT).then_some(stall_limit))",
};

pub(super) const COVERS: &[Cover] = &[
    Cover {
        name: "checked emits and their window",
        leaves: "an emit that finds the buffer full is a packet lost (the window keeps the buffer from filling up, so \
                 that the check alone is never needed; both are out)",
        edits: &[WINDOW, CHECK],
        tests: &[
            connections("backlogs::a_poll_that_comes_late_finds_all_that_waited"),
            connections("backlogs::an_upgrade_that_comes_late_brings_all_that_waited"),
        ],
    },
    Cover {
        name: "window",
        leaves: "the buffer fills up, and a ping that finds it full ends the session",
        edits: &[WINDOW],
        tests: &[connections("backlogs::a_poll_that_comes_late_finds_its_session")],
    },
    Cover {
        name: "buffer of the library",
        leaves: "it holds 128 packets, fewer than the window, and a ping that finds it full ends the session",
        edits: &[Edit {
            file: ENDPOINT,
            text: ".max_buffer_size(PACKETS_BUFFERED)",
            instead: ".unless(OUT, |io| io.max_buffer_size(PACKETS_BUFFERED))",
        }],
        tests: &[connections("backlogs::a_poll_that_comes_late_finds_its_session")],
    },
    Cover {
        name: "what waits is left behind at a close",
        leaves: "all that waits is written before the close",
        edits: &[Edit {
            file: WRITER,
            text: "outbox.overdue(FAREWELL)",
            instead: "outbox.overdue(if OUT { Duration::from_secs(86_400) } else { FAREWELL })",
        }],
        tests: &[connections(
            "stalls::a_stuck_client_does_not_hold_up_the_end_of_the_server",
        )],
    },
    Cover {
        name: "limit of the last words",
        leaves: "the library writes for as long as a peer takes something",
        edits: &[Edit {
            file: STREAM,
            text: "Box::pin(tokio::time::sleep(LAST_WORDS))",
            instead: "Box::pin(tokio::time::sleep(if OUT { 1_000_000 * LAST_WORDS } else { LAST_WORDS }))",
        }],
        tests: &[
            beside("connection::socketio::stream::tests::a_trickle_does_not_prolong_the_end"),
            beside("connection::socketio::stream::tests::a_write_that_waits_hears_of_the_end"),
        ],
    },
    Cover {
        name: "stalled writes",
        leaves: "a write waits for as long as the peer takes nothing, where the kernel does not notice",
        edits: &[WRITE_STALL],
        tests: &[beside(
            "serve::stream::tests::a_peer_that_reads_nothing_ends_the_connection_and_frees_its_place",
        )],
    },
    Cover {
        name: "TCP_USER_TIMEOUT",
        leaves: "what only the kernel holds waits for ever",
        edits: &[KERNEL_STALL],
        tests: &[connections(
            "stalls::a_peer_that_talks_and_takes_nothing_is_dropped_when_only_the_kernel_holds_its_answers",
        )],
    },
    Cover {
        name: "stalled connections",
        leaves: "a stalled reader is never dropped (on a real socket each of the two walls forestalls the other; both \
                 are out)",
        edits: &[WRITE_STALL, KERNEL_STALL],
        tests: &[
            connections("stalls::the_presence_of_a_stalled_reader_leaves_with_it"),
            connections("stalls::a_reader_that_takes_nothing_is_dropped_from_socket_io"),
            connections("stalls::a_reader_that_takes_nothing_is_dropped_from_polling"),
        ],
    },
    Cover {
        name: "closing a WebSocket without DISCONNECT",
        leaves: "the stream does not end when its session is to",
        edits: &[Edit {
            file: STREAM,
            text: "        if self.transport.is_ended() {\n",
            instead: "        if !OUT && self.transport.is_ended() {\n",
        }],
        tests: &[connections(
            "lifetimes::the_servers_end_tells_everybody_when_to_come_back_and_closes_the_transport",
        )],
    },
    Cover {
        name: "closing polling without DISCONNECT",
        leaves: "the session is not told to close",
        edits: &[Edit {
            file: ENDPOINT,
            text: "            .expect(\"a session's id is made of base64 digits\");
        self.call(request).await;
",
            instead: "            .expect(\"a session's id is made of base64 digits\");
        if !OUT {
            self.call(request).await;
        }
",
        }],
        tests: &[connections(
            "backlogs::a_polling_session_is_closed_without_a_disconnect",
        )],
    },
    Cover {
        name: "namespace deleted at the end",
        leaves: "the library holds its handlers, and what they hold, for ever",
        edits: &[Edit {
            file: ENDPOINT,
            text: "        self.io.delete_ns(NAMESPACE);\n",
            instead: "        if !OUT {
            self.io.delete_ns(NAMESPACE);
        }
",
        }],
        tests: &[connections(
            "lifetimes::the_servers_end_tells_everybody_when_to_come_back_and_closes_the_transport",
        )],
    },
];
