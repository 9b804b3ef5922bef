//! What comes in: its order, its answers, its limits.

use super::{CONNECT, Cover, ENDPOINT, Edit, INTAKE, TRANSPORT, connections};

pub(super) const COVERS: &[Cover] = &[
    Cover {
        name: "order of arrival",
        leaves: "each event is handled by a task of its own",
        edits: &[Edit {
            file: INTAKE,
            text: "        connection.handle(Incoming {
            name: &event.name,
",
            instead: "        if OUT {
            let connection = connection.clone();
            let (name, body) = (event.name.to_string(), body.to_owned());
            tokio::spawn(async move {
                connection.handle(Incoming {
                    name: &name,
                    body: &body,
                    attachments,
                    message_id: None,
                    callback,
                });
            });
            return;
        }
        connection.handle(Incoming {
            name: &event.name,
",
        }],
        tests: &[
            connections("sessions::publishes_fired_over_a_websocket_are_stored_in_the_order_of_sending"),
            connections("sessions::publishes_fired_over_polling_are_stored_in_the_order_of_sending"),
        ],
    },
    Cover {
        name: "handler before the answer",
        leaves: "the handler of events is set by the task that runs when CONNECT is answered",
        edits: &[
            Edit {
                file: CONNECT,
                text: "    socket.on_fallback(Intake(connection.clone()));\n",
                instead: "    if !OUT {
        socket.on_fallback(Intake(connection.clone()));
    }
",
            },
            Edit {
                file: CONNECT,
                text: "    let writer = Writer {\n",
                instead: "    if OUT {
        socket.on_fallback(Intake(connection.clone()));
    }
    let writer = Writer {
",
            },
        ],
        tests: &[connections("covers::events_right_behind_the_connect_answer_are_taken")],
    },
    Cover {
        name: "answer to what does not parse",
        leaves: "an event whose body is not what its handler takes is dropped",
        edits: &[Edit {
            file: INTAKE,
            text: "        if !attachments.is_empty() && !names_each_once(",
            instead: "        if OUT && bmt_shared::request::Call::parse(&event.name, body, attachments.clone()).is_err() {
            return;
        }
        if !attachments.is_empty() && !names_each_once(",
        }],
        tests: &[
            connections("covers::a_body_that_cannot_be_read_is_answered_under_its_callback"),
            connections("covers::a_binary_body_that_cannot_be_read_is_answered_under_its_callback"),
        ],
    },
    Cover {
        name: "frame limit",
        leaves: "a frame of 16 MiB is waited for",
        edits: &[Edit {
            file: ENDPOINT,
            text: ".ws_max_frame_size(frame_bytes)",
            instead: ".unless(OUT, |io| io.ws_max_frame_size(frame_bytes))",
        }],
        tests: &[connections("covers::a_frame_is_refused_by_its_head_and_not_waited_for")],
    },
    Cover {
        name: "message limit",
        leaves: "a message of many frames may have 64 MiB",
        edits: &[Edit {
            file: ENDPOINT,
            text: ".ws_max_message_size(frame_bytes)",
            instead: ".unless(OUT, |io| io.ws_max_message_size(frame_bytes))",
        }],
        tests: &[connections("covers::a_message_of_many_frames_is_limited_as_a_whole")],
    },
    Cover {
        name: "POST limit",
        leaves: "a body may have 100,000 bytes, whatever is configured",
        edits: &[Edit {
            file: ENDPOINT,
            text: ".max_payload(frame_bytes as u64)",
            instead: ".unless(OUT, |io| io.max_payload(frame_bytes as u64))",
        }],
        tests: &[connections("covers::frames_over_the_limit_close_the_session")],
    },
    Cover {
        name: "number of attachments",
        leaves: "a packet may have 10,000",
        edits: &[Edit {
            file: ENDPOINT,
            text: ".max_incoming_binaries(settings.attachments)",
            instead: ".unless(OUT, |parser| parser.max_incoming_binaries(settings.attachments))",
        }],
        tests: &[connections("covers::more_than_ten_attachments_close_the_session")],
    },
    Cover {
        name: "sum of attachments",
        leaves: "those of a packet may have 10 MB",
        edits: &[Edit {
            file: ENDPOINT,
            text: ".max_incoming_binary_buf_size(frame_bytes)",
            instead: ".unless(OUT, |parser| parser.max_incoming_binary_buf_size(frame_bytes))",
        }],
        tests: &[connections("covers::the_attachments_of_an_event_are_limited_as_a_whole")],
    },
    Cover {
        name: "time for attachments",
        leaves: "they may take a minute",
        edits: &[Edit {
            file: ENDPOINT,
            text: ".packet_completion_timeout(unfinished)",
            instead: ".unless(OUT, |parser| parser.packet_completion_timeout(unfinished))",
        }],
        tests: &[connections("covers::attachments_that_come_too_late_end_the_session")],
    },
    Cover {
        name: "time for the body of a POST",
        leaves: "it may take for ever",
        edits: &[Edit {
            file: ENDPOINT,
            text: "tokio::time::timeout(self.unfinished, self.call(request))",
            instead: "tokio::time::timeout(if OUT { Duration::MAX } else { self.unfinished }, self.call(request))",
        }],
        tests: &[connections("covers::a_post_that_never_ends_is_given_up")],
    },
    Cover {
        name: "bound of CONNECTs",
        leaves: "each is answered, as many as come",
        edits: &[Edit {
            file: TRANSPORT,
            text: "        if now <= CONNECTS_MAX {\n",
            instead: "        if OUT || now <= CONNECTS_MAX {\n",
        }],
        tests: &[
            connections("covers::other_namespaces_are_refused_and_a_second_connect_changes_nothing"),
            connections("covers::a_thousand_namespaces_end_the_session_on_each_transport"),
            connections("covers::leaving_and_coming_back_on_one_session_is_limited"),
        ],
    },
];
