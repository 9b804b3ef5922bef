//! What a session lets through.

use std::sync::{Arc, Mutex};

use bmt_shared::channel::ChannelName;
use bmt_shared::error::{ErrorCode, Failure};
use bmt_shared::id::UserId;
use bmt_shared::identity::{Role, User};
use bmt_shared::payload::Payload;
use bmt_shared::permission::Membership;

use super::{Memberships, RESTORE_WINDOW_MS, Rules, STRIKES, Session, Strike};

const START: u64 = 1_000_000;

fn topic(name: &str) -> ChannelName {
    ChannelName::parse(name).unwrap()
}

fn user(role: Role) -> Arc<User> {
    Arc::new(User {
        user_id: UserId::new("1"),
        name: "One".to_owned(),
        role,
        permissions: Vec::new(),
    })
}

fn session(change: impl FnOnce(&mut Rules)) -> Session {
    let mut rules = Rules {
        subscribe_per_second: 100,
        ..Rules::default()
    };
    change(&mut rules);
    Session::new(user(Role::User), Arc::new(rules), None, START)
}

fn code<T>(result: Result<T, Failure>) -> Option<ErrorCode> {
    result.err().map(|failure| failure.code)
}

fn publish(session: &mut Session, name: &str, bytes: usize) -> Option<ErrorCode> {
    // Two quotes belong to the JSON text.
    let payload = Payload::parse(&format!("\"{}\"", "x".repeat(bytes - 2))).unwrap();
    code(session.admit_publish(&topic(name), &payload, START))
}

#[test]
fn a_payload_may_be_as_large_as_the_limit_and_no_larger() {
    let mut session = session(|_| ());
    assert_eq!(publish(&mut session, "public:chat", 65_536), None);
    assert_eq!(
        publish(&mut session, "public:chat", 65_537),
        Some(ErrorCode::MessageTooLarge)
    );
}

#[test]
fn reading_too_fast_tells_when_to_come_again() {
    let mut session = session(|rules| rules.read_per_second = 10);
    let chat = topic("public:chat");
    for _ in 0..20 {
        assert_eq!(code(session.admit_read(&chat, START)), None);
    }
    let refused = session.admit_read(&chat, START).unwrap_err();
    assert_eq!(refused.code, ErrorCode::RateLimited);
    assert_eq!(refused.retry_after_ms, Some(100));
    assert_eq!(code(session.admit_read(&chat, START + 100)), None);
}

#[test]
fn publishing_too_fast_tells_when_to_come_again() {
    let mut session = session(|rules| {
        rules.limits.publish_per_second = 10;
        rules.limits.publish_burst = 10;
    });
    for _ in 0..10 {
        assert_eq!(publish(&mut session, "public:chat", 4), None);
    }
    let payload = Payload::parse("1").unwrap();
    let failure = session
        .admit_publish(&topic("public:chat"), &payload, START)
        .unwrap_err();
    assert_eq!(
        (failure.code, failure.retry_after_ms),
        (ErrorCode::RateLimited, Some(100))
    );
}

#[test]
fn refusals_name_the_reason() {
    let mut session = session(|_| ());
    assert_eq!(
        publish(&mut session, "user:12", 4),
        Some(ErrorCode::PermissionDenied)
    );
    assert_eq!(
        publish(&mut session, "nowhere:x", 4),
        Some(ErrorCode::ChannelNotFound)
    );
    assert_eq!(
        code(session.admit_read(&topic("private:x"), START)),
        Some(ErrorCode::PermissionDenied)
    );
    assert_eq!(
        code(session.subscribe(&topic("private:x"), 1)),
        Some(ErrorCode::PermissionDenied)
    );
    assert!(session.subscriptions().is_empty());
}

#[test]
fn subscriptions_are_limited_and_a_refused_one_leaves_its_place() {
    let mut session = session(|rules| rules.limits.subscriptions = 2);
    let mut subscribe = |name: &str, call| code(session.subscribe(&topic(name), call));
    assert_eq!(subscribe("public:a", 1), None);
    assert_eq!(subscribe("public:b", 2), None);
    assert_eq!(subscribe("public:a", 3), None, "subscribing twice is a success");
    assert_eq!(subscribe("public:c", 4), Some(ErrorCode::SubscribeFailed));
    session.refuse_subscription(&topic("public:a"), 1);
    assert_eq!(
        session.subscriptions().len(),
        2,
        "a later request asked for it again"
    );
    session.refuse_subscription(&topic("public:a"), 3);
    assert_eq!(code(session.subscribe(&topic("public:c"), 5)), None);
    let mut ended = session.end();
    ended.sort();
    assert_eq!(ended, [topic("public:b"), topic("public:c")]);
}

#[test]
fn a_thousand_topics_are_restored_at_once_and_no_more() {
    let mut session = session(|_| ());
    for n in 0..1_000 {
        assert_eq!(code(session.admit_subscribe(START + 1)), None, "{n}");
    }
    for _ in 0..100 {
        assert_eq!(
            code(session.admit_subscribe(START + 1)),
            None,
            "the ordinary rate"
        );
    }
    assert_eq!(
        code(session.admit_subscribe(START + 1)),
        Some(ErrorCode::RateLimited)
    );
}

#[test]
fn after_the_first_seconds_the_ordinary_rate_holds() {
    let mut session = session(|_| ());
    let later = START + RESTORE_WINDOW_MS;
    for _ in 0..100 {
        assert_eq!(code(session.admit_subscribe(later)), None);
    }
    assert_eq!(code(session.admit_subscribe(later)), Some(ErrorCode::RateLimited));
}

#[test]
fn malformed_frames_in_a_row_end_the_connection() {
    let mut session = session(|_| ());
    for _ in 1..STRIKES {
        assert_eq!(session.strike(), Strike::Stay);
    }
    session.forgive();
    for _ in 1..STRIKES {
        assert_eq!(session.strike(), Strike::Stay);
    }
    assert_eq!(session.strike(), Strike::Out);
}

#[test]
fn a_full_backlog_refuses_until_it_has_drained() {
    let mut session = session(|rules| rules.backlog_requests = 4_096);
    for _ in 0..4_096 {
        assert_eq!(code(session.take(10)), None);
    }
    let failure = session.take(10).unwrap_err();
    assert_eq!(failure.code, ErrorCode::RateLimited);
    assert!(failure.retry_after_ms.is_some());
    for _ in 0..4_096 {
        session.finish(10);
    }
    assert_eq!(code(session.take(10)), None);
}

#[test]
fn a_refresh_keeps_the_user_and_drops_what_the_new_token_may_not_read() {
    let admin = user(Role::Admin);
    let mut session = Session::new(admin, Arc::new(Rules::default()), Some(START + 1), START);
    for name in ["public:a", "private:a"] {
        assert_eq!(code(session.subscribe(&topic(name), 1)), None);
    }
    let lost = session
        .refresh(user(Role::User), Some(START + 900_000), START)
        .unwrap();
    assert_eq!(lost, [topic("private:a")]);
    assert_eq!(session.subscriptions().len(), 1);
    assert_eq!(session.expiry().deadline_ms(), Some(START + 870_000));
    let other = Arc::new(User {
        user_id: UserId::new("2"),
        ..User::clone(&user(Role::User))
    });
    assert_eq!(
        session.refresh(other, None, START).unwrap_err().code,
        ErrorCode::AuthenticationFailed
    );
}

#[derive(Debug)]
struct Lists(Mutex<Membership>);

impl Memberships for Lists {
    fn of(&self, key: &str, user: &UserId) -> Membership {
        assert_eq!((key, user.as_str()), ("document:d", "1"));
        *self.0.lock().unwrap()
    }
}

#[test]
fn every_act_is_judged_by_the_member_list_as_it_is_now() {
    let lists = Arc::new(Lists(Mutex::new(Membership::Writer)));
    let mut session = session(|rules| rules.members = Some(lists.clone()));
    let (document, public) = (topic("document:d:changes"), topic("public:a"));
    assert_eq!(code(session.subscribe(&public, 1)), None);
    assert_eq!(code(session.subscribe(&document, 2)), None);
    assert_eq!(publish(&mut session, "document:d:changes", 2), None);
    *lists.0.lock().unwrap() = Membership::Reader;
    let denied = Some(ErrorCode::PermissionDenied);
    assert_eq!(publish(&mut session, "document:d:changes", 2), denied);
    let payload = Payload::parse("1").unwrap();
    assert_eq!(code(session.admit_signal(&document, &payload, START)), denied);
    assert_eq!(code(session.admit_read(&document, START)), None);
    assert_eq!(session.reconsider(|_| true), []);
    *lists.0.lock().unwrap() = Membership::Outside;
    assert_eq!(code(session.admit_read(&document, START)), denied);
    assert_eq!(
        session.reconsider(|topic| *topic == public),
        [],
        "it is not concerned"
    );
    assert_eq!(session.reconsider(|_| true), std::slice::from_ref(&document));
    assert_eq!(code(session.subscribe(&document, 3)), denied);
    assert_eq!(session.subscriptions().len(), 1);
}
