//! The covers: what to take out of which file, and which tests must fail then. The rows of
//! `server/src/connection/socketio.rs` say what each is for.

mod incoming;
mod outgoing;
mod sessions;

/// One cover of a weakness of socketioxide.
#[derive(Debug)]
pub(super) struct Cover {
    pub(super) name: &'static str,
    /// What taking it out leaves: the library's own behaviour, or two walls of which each hides the other.
    pub(super) leaves: &'static str,
    /// Switched off together.
    pub(super) edits: &'static [Edit],
    /// Each must fail then.
    pub(super) tests: &'static [Test],
}

/// A text that is in its file exactly once, and what stands in its place in the copy: the same, but for a switch.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Edit {
    /// From the root of the checkout.
    pub(super) file: &'static str,
    pub(super) text: &'static str,
    /// `OUT` in it is a condition: whether the cover is out. `.unless(OUT, |it| it.set(…))` leaves a call out.
    pub(super) instead: &'static str,
}

/// A test by its program and its whole name there.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Test {
    pub(super) target: Target,
    pub(super) name: &'static str,
}

/// A program of tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Target {
    /// The tests beside the code of the server.
    Server,
    /// `server/tests/connections`.
    Connections,
}

impl Target {
    pub(super) fn package(self) -> &'static str {
        "bmt-server"
    }

    /// The package's folder, from the root.
    pub(super) fn folder(self) -> &'static str {
        "server"
    }

    /// How Cargo is told to build it.
    pub(super) fn selection(self) -> &'static [&'static str] {
        match self {
            Self::Server => &["--lib"],
            Self::Connections => &["--test", "connections"],
        }
    }

    /// What Cargo calls its kind.
    pub(super) fn kind(self) -> &'static str {
        match self {
            Self::Server => "lib",
            Self::Connections => "test",
        }
    }
}

impl Test {
    /// The file and the function; the tests of a module are in its own file.
    #[cfg(test)]
    pub(super) fn place(&self) -> (String, &'static str) {
        let (modules, function) = self.name.rsplit_once("::").expect("a test is in a module");
        let path = modules.trim_end_matches("::tests").replace("::", "/");
        let folder = match self.target {
            Target::Server => "server/src",
            Target::Connections => "server/tests/connections",
        };
        (format!("{folder}/{path}.rs"), function)
    }
}

const fn beside(name: &'static str) -> Test {
    Test {
        target: Target::Server,
        name,
    }
}

const fn connections(name: &'static str) -> Test {
    Test {
        target: Target::Connections,
        name,
    }
}

/// In the order in which they run.
pub(super) const TABLE: &[&[Cover]] = &[incoming::COVERS, sessions::COVERS, outgoing::COVERS];

/// The files that covers are taken out of.
const CONNECT: &str = "server/src/connection/socketio/connect.rs";
const ENDPOINT: &str = "server/src/connection/socketio/endpoint.rs";
const INTAKE: &str = "server/src/connection/socketio/intake.rs";
const LINK: &str = "server/src/connection/link.rs";
const STREAM: &str = "server/src/connection/socketio/stream.rs";
const TRANSPORT: &str = "server/src/connection/socketio/transport.rs";
const WRITER: &str = "server/src/connection/socketio/writer.rs";
