//! From a packet to its text.

use super::{Namespace, Packet};
use crate::json::{write_number, write_str};

/// The longest header: type, two digits and `-`, comma, twenty digits of an id.
const HEADER: usize = 32;

impl Packet<'_> {
    /// Appends the packet's text to `out`.
    ///
    /// The data must be JSON of the shape that its variant names; it is not looked at again.
    pub fn encode_into(&self, out: &mut String) {
        match *self {
            Self::Connect { namespace, data } => plain(out, '0', namespace, data),
            Self::Disconnect { namespace } => plain(out, '1', namespace, None),
            Self::ConnectError { namespace, data } => plain(out, '4', namespace, data),
            Self::Event {
                namespace,
                id,
                data,
                attachments,
            } => {
                out.reserve(HEADER + namespace.as_str().len() + data.len());
                header(out, EVENT, namespace, id, attachments);
                out.push_str(data);
            }
            Self::Ack {
                namespace,
                id,
                data,
                attachments,
            } => {
                out.reserve(HEADER + namespace.as_str().len() + data.len());
                header(out, ACK, namespace, Some(id), attachments);
                out.push_str(data);
            }
        }
    }

    /// [`encode_into`](Self::encode_into) a new text.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut out = String::new();
        self.encode_into(&mut out);
        out
    }
}

/// Appends an event made of its parts: `name` is text, each of `args` JSON.
///
/// `out` may hold an Engine.IO type digit already ([`engineio::MESSAGE`](crate::codec::engineio::MESSAGE)), so
/// that a frame is built in one buffer.
pub fn encode_event(
    out: &mut String,
    namespace: Namespace<'_>,
    id: Option<u64>,
    name: &str,
    args: &[&str],
    attachments: usize,
) {
    out.reserve(HEADER + namespace.as_str().len() + name.len() + length(args));
    header(out, EVENT, namespace, id, attachments);
    out.push('[');
    write_str(out, name);
    for arg in args {
        out.push(',');
        out.push_str(arg);
    }
    out.push(']');
}

/// Appends the acknowledgement of the event `id`; each of `args` is JSON.
pub fn encode_ack(out: &mut String, namespace: Namespace<'_>, id: u64, args: &[&str], attachments: usize) {
    out.reserve(HEADER + namespace.as_str().len() + length(args));
    header(out, ACK, namespace, Some(id), attachments);
    out.push('[');
    for (n, arg) in args.iter().enumerate() {
        if n > 0 {
            out.push(',');
        }
        out.push_str(arg);
    }
    out.push(']');
}

/// The type digits of a kind of packet without and with attachments.
type Kind = [char; 2];
const EVENT: Kind = ['2', '5'];
const ACK: Kind = ['3', '6'];

fn plain(out: &mut String, kind: char, namespace: Namespace<'_>, data: Option<&str>) {
    let data = data.unwrap_or("");
    out.reserve(HEADER + namespace.as_str().len() + data.len());
    out.push(kind);
    push_namespace(out, namespace);
    out.push_str(data);
}

fn header(out: &mut String, kind: Kind, namespace: Namespace<'_>, id: Option<u64>, attachments: usize) {
    out.push(kind[usize::from(attachments > 0)]);
    if attachments > 0 {
        write_number(out, attachments as u64);
        out.push('-');
    }
    push_namespace(out, namespace);
    if let Some(id) = id {
        write_number(out, id);
    }
}

fn push_namespace(out: &mut String, namespace: Namespace<'_>) {
    if !namespace.is_main() {
        out.push_str(namespace.as_str());
        out.push(',');
    }
}

fn length(args: &[&str]) -> usize {
    args.iter().map(|arg| arg.len() + 1).sum::<usize>() + 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_become_the_text_of_the_whole_packet() {
        let admin = Namespace::parse("/admin").expect("a namespace");
        let mut out = String::from("4");
        encode_event(&mut out, admin, Some(12), "a\"b", &["1", "{\"c\":2}"], 0);
        assert_eq!(out, "42/admin,12[\"a\\\"b\",1,{\"c\":2}]");
        out.clear();
        encode_event(
            &mut out,
            Namespace::MAIN,
            None,
            "a",
            &["{\"_placeholder\":true,\"num\":0}"],
            1,
        );
        assert_eq!(out, "51-[\"a\",{\"_placeholder\":true,\"num\":0}]");
        out.clear();
        encode_ack(&mut out, Namespace::MAIN, 12, &[], 0);
        encode_ack(&mut out, admin, 0, &["1", "2"], 2);
        assert_eq!(out, "312[]62-/admin,0[1,2]");
    }
}
