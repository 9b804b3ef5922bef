//! Sessions: how they open, what they are called, how long they may be unfinished.

use super::{CONNECT, Cover, ENDPOINT, Edit, LINK, TRANSPORT, beside, connections};

pub(super) const COVERS: &[Cover] = &[
    Cover {
        name: "private session id",
        leaves: "a connection is called by the id of its session",
        edits: &[
            Edit {
                file: LINK,
                text: "    pub(super) fn begin(context: &Arc<Context>, identity: Identity, arrival: Arc<Arrival>) -> Arc<Self> {\n",
                instead: "    pub(super) fn begin(context: &Arc<Context>, identity: Identity, arrival: Arc<Arrival>) -> Arc<Self> {
        Self::begin_as(context, identity, arrival, None)
    }

    pub(super) fn begin_as(
        context: &Arc<Context>,
        identity: Identity,
        arrival: Arc<Arrival>,
        id: Option<ConnectionId>,
    ) -> Arc<Self> {
",
            },
            Edit {
                file: LINK,
                text: "            id: mint_connection_id(),\n",
                instead: "            id: id.unwrap_or_else(mint_connection_id),\n",
            },
            Edit {
                file: CONNECT,
                text: "    let connection = Connection::begin(context, identity, arrival);\n",
                instead: "    let session = bmt_shared::id::ConnectionId::new(&socket.id.to_string());
    let connection = Connection::begin_as(context, identity, arrival, OUT.then_some(session));
",
            },
        ],
        tests: &[
            connections("identities::the_private_session_id_is_in_nothing_that_is_said"),
            connections("identities::a_connections_name_is_not_its_session_id_and_never_comes_twice"),
        ],
    },
    Cover {
        name: "names that nobody guesses",
        leaves: "connections are counted",
        edits: &[Edit {
            file: LINK,
            text: "    ConnectionId::new(&random::text::<16>())\n",
            instead: "    if OUT {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        return ConnectionId::new(&format!(\"{:021}A\", NEXT.fetch_add(1, Ordering::Relaxed)));
    }
    ConnectionId::new(&random::text::<16>())
",
        }],
        tests: &[beside(
            "connection::link::tests::ten_thousand_names_are_128_random_bits_each",
        )],
    },
    Cover {
        name: "time for a session without a user",
        leaves: "it may take 45 seconds",
        edits: &[Edit {
            file: ENDPOINT,
            text: ".connect_timeout(unfinished)",
            instead: ".unless(OUT, |io| io.connect_timeout(unfinished))",
        }],
        tests: &[connections(
            "covers::a_session_without_a_user_ends_in_time_on_each_transport",
        )],
    },
    Cover {
        name: "time for an upgrade",
        leaves: "it may take ten seconds",
        edits: &[Edit {
            file: ENDPOINT,
            text: ".upgrade_timeout(unfinished)",
            instead: ".unless(OUT, |io| io.upgrade_timeout(unfinished))",
        }],
        tests: &[connections(
            "covers::an_upgrade_that_is_begun_and_not_finished_ends_in_time",
        )],
    },
    Cover {
        name: "checks of the handshake",
        leaves: "a key is all it takes",
        edits: &[Edit {
            file: ENDPOINT,
            text: "        let accept = accept(request.method(), request.version(), request.headers())?;\n",
            instead: "        let accept = if OUT {
            let key = request.headers().get(header::SEC_WEBSOCKET_KEY);
            let key = key.map_or(&b\"\"[..], HeaderValue::as_bytes);
            let accept = tungstenite::handshake::derive_accept_key(key);
            accept.parse::<HeaderValue>().expect(\"base64\")
        } else {
            accept(request.method(), request.version(), request.headers())?
        };
",
        }],
        tests: &[connections(
            "handshakes::a_broken_websocket_handshake_is_refused_on_both_endpoints",
        )],
    },
    Cover {
        name: "one upgrade a session",
        leaves: "a second one is let through to the library",
        edits: &[Edit {
            file: TRANSPORT,
            text: "        !self.upgrading.swap(true, Ordering::AcqRel)\n",
            instead: "        if OUT {
            self.upgrading.store(true, Ordering::Release);
            return true;
        }
        !self.upgrading.swap(true, Ordering::AcqRel)
",
        }],
        tests: &[connections(
            "handshakes::a_session_is_upgraded_once_and_the_first_upgrade_survives",
        )],
    },
    Cover {
        name: "first word on a WebSocket before the library hears of it",
        leaves: "polls are answered with nothing until it has come",
        edits: &[Edit {
            file: ENDPOINT,
            text: "            let bytes = stream.read(&mut head).await.ok().filter(|bytes| *bytes > 0)?;\n",
            instead: "            if OUT {
                return Some((stream, Vec::new()));
            }
            let bytes = stream.read(&mut head).await.ok().filter(|bytes| *bytes > 0)?;
",
        }],
        tests: &[connections(
            "protocol::engine_io::a_websocket_that_says_nothing_leaves_its_session_on_polling",
        )],
    },
    Cover {
        name: "end of a session whose poll was given up",
        leaves: "it lives until the heartbeat has run out",
        edits: &[Edit {
            file: ENDPOINT,
            text: "        if let (Some((endpoint, transport)), Ok(runtime)) = (self.0.take(), Handle::try_current()) {\n",
            instead: "        if OUT {
            return;
        }
        if let (Some((endpoint, transport)), Ok(runtime)) = (self.0.take(), Handle::try_current()) {
",
        }],
        tests: &[connections(
            "protocol::engine_io::a_poll_that_is_given_up_closes_the_session",
        )],
    },
    Cover {
        name: "noop of a poll that ends with its session",
        leaves: "its body is empty, which is no payload",
        edits: &[Edit {
            file: ENDPOINT,
            text: "            if parts.status.is_success() && body.is_empty() {\n",
            instead: "            if !OUT && parts.status.is_success() && body.is_empty() {\n",
        }],
        tests: &[connections(
            "protocol::engine_io::a_poll_that_ends_with_its_session_is_a_noop_and_not_empty",
        )],
    },
    Cover {
        name: "end of a session whose upgrade failed",
        leaves: "it stays behind on polling",
        edits: &[Edit {
            file: ENDPOINT,
            text: "        gone.await.ok();\n",
            instead: "        if OUT {
            drop(gone);
            return;
        }
        gone.await.ok();
",
        }],
        tests: &[connections(
            "handshakes::a_failed_upgrade_ends_the_session_at_once",
        )],
    },
];
