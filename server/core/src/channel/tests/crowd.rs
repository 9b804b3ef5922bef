//! A channel as full as it may be (SPEC §3).

use super::*;

const MOST: u64 = 10_000;

#[test]
fn ten_thousand_subscribers_get_each_message_and_one_more_is_refused() {
    let namespace = namespace();
    let mut stream = Stream::new(Epoch::new("e1"));
    let retention = Retention::of(&namespace);
    let opened = stream.open(retention, START_MS);
    let mut channel: Channel<u64> = Channel::new(topic(), &namespace, opened, START_MS);
    let subscribe = |channel: &mut Channel<u64>, number: u64| {
        let name = format!("c{number}");
        let who = Subscriber {
            to: number,
            user: subscriber("u").user,
        };
        channel.subscribe(ConnectionId::new(&name), who, &Subscribe::to(topic()), START_MS)
    };
    for number in 0..MOST {
        subscribe(&mut channel, number).unwrap();
    }
    let refused = subscribe(&mut channel, MOST).unwrap_err();
    assert_eq!(refused.code, ErrorCode::SubscribeFailed);
    assert_eq!(channel.subscriber_count(), MOST);
    while channel.poll_output().is_some() {}

    let publish = Publish::new(topic(), Payload::parse("1").unwrap());
    let key = MessageId::parse("k").unwrap();
    let draft = channel.begin_publish(publish, UserId::new("u"), key, START_MS, 1);
    let appended = stream.append(draft, retention, WINDOW_MS);
    let published = channel.finish_publish(Ok(appended), START_MS).unwrap();
    assert_eq!(published.delivered_to, MOST);
    let Some(Output::Message { to, prev: None, .. }) = channel.poll_output() else {
        panic!("one message, encoded once")
    };
    let each: std::collections::BTreeSet<u64> = to.iter().copied().collect();
    assert_eq!((to.len() as u64, each.len() as u64), (MOST, MOST));

    assert!(channel.unsubscribe(&ConnectionId::new("c0"), START_MS));
    subscribe(&mut channel, MOST).unwrap();
}
