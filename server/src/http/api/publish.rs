//! `POST /api/v1/publish`: what a connection may publish, a program may too (SPEC §8). The body is the request of
//! SPEC §4, one message or a batch; a `messageId` or the header `Idempotency-Key` publishes once per channel, whoever of
//! the API's callers sent it.

use axum::extract::State;
use axum::response::Response;
use bmt_shared::error::Failure;
use bmt_shared::reply::Reply;
use bmt_shared::request::{Call, PublishEntry, Request};
use tokio::sync::oneshot;

use crate::http::access::{Audited, Operator};
use crate::http::body::Text;
use crate::http::control::{Awaited, Control};
use crate::http::idempotency::IdempotencyKey;
use crate::http::{Refusal, reply};

pub(super) async fn post(
    State(control): State<Control>,
    key: IdempotencyKey,
    operator: Operator,
    Text(body): Text,
) -> Result<Response, Refusal> {
    let call = Call::parse("publish", &body, Vec::new()).map_err(|error| match error.message_id {
        Some(id) => Refusal::from(error.failure).answering(id.as_str()),
        None => Refusal::from(error.failure),
    })?;
    let id = key.or(call.message_id)?.unwrap_or_else(Control::mint_message_id);
    let (topic, answer) = match call.request {
        Request::Publish(publish) => {
            let topic = publish.topic.as_str().to_owned();
            (topic, control.publish(Some(&operator), id.clone(), publish).await)
        }
        Request::PublishBatch(messages) => {
            (String::new(), batch((&control, &operator), &key, messages).await?)
        }
        _ => unreachable!("a call named `publish` is one of two"),
    };
    Ok(Audited::target(topic).on(reply::respond(id.as_str(), &answer)))
}

/// Each with its own key, in order; the first refusal that may be tried again stops the rest, so that no message
/// overtakes one that is sent again (SPEC §4).
async fn batch(
    (control, operator): (&Control, &Operator),
    request_key: &IdempotencyKey,
    messages: Vec<PublishEntry>,
) -> Result<Reply, Refusal> {
    // All keys before the first message: a header that does not hold for all publishes none.
    let mut entries = Vec::with_capacity(messages.len());
    for (at, PublishEntry { message_id, publish }) in messages.into_iter().enumerate() {
        let key = match message_id {
            Some(key) => Some(key),
            None => request_key.of_place(at)?,
        };
        entries.push((key.unwrap_or_else(Control::mint_message_id), publish));
    }
    let mut stopped: Option<Failure> = None;
    let mut waiting = Vec::with_capacity(entries.len());
    for (key, publish) in entries {
        let begun = match &stopped {
            Some(failure) => Err(failure.clone()),
            None => publish.and_then(|publish| control.begin_publish(Some(operator), key.clone(), publish)),
        };
        // A shard that is full refuses on the spot.
        let begun = begun.and_then(|mut reply| match reply.try_recv() {
            Ok(Reply::Failed(failure)) => Err(failure),
            Ok(reply) => Ok(known(reply)),
            Err(_) => Ok(reply),
        });
        stopped = begun
            .as_ref()
            .err()
            .filter(|failure| failure.code.is_retryable())
            .cloned()
            .or(stopped);
        waiting.push((key, begun));
    }
    let mut results = Vec::with_capacity(waiting.len());
    for (key, begun) in waiting {
        results.push((Some(key), control.finish(begun).await));
    }
    Ok(Reply::Batch(results))
}

/// An answer that has come already.
fn known(reply: Reply) -> Awaited {
    let (answer, awaited) = oneshot::channel();
    // The receiver is in hand.
    let _ = answer.send(reply);
    awaited
}
