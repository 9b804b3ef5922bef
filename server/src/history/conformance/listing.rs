//! Which channels a store says there are.

use super::*;
use crate::history::{Known, Listing};

fn list(store: &Subject, listing: Listing) -> Vec<Known> {
    let (answer, answered) = channel();
    store
        .0
        .list(listing, Box::new(move |result| answer.send(result).unwrap()));
    answered.recv().unwrap().unwrap()
}

fn names(store: &Subject, listing: Listing) -> Vec<String> {
    list(store, listing).into_iter().map(|known| known.name).collect()
}

pub(super) fn channels_with_messages_are_listed_in_the_order_of_their_names(store: &Subject) {
    for (on, count) in [
        ("public:b", 3),
        ("public:B", 1),
        ("private:b", 1),
        ("public:a", 1),
    ] {
        store.fill(on, count, KEEP_ALL);
    }
    store.open("public:never-written", KEEP_ALL, NOW_MS);
    store.mark(Vec::new(), &[("public:only-read", "u", 1)]);
    let page = |prefix: &str, containing: &str, after: &str, limit| Listing {
        prefix: prefix.to_owned(),
        containing: containing.to_owned(),
        after: after.to_owned(),
        limit,
    };
    assert_eq!(
        names(store, page("", "", "", 9)),
        ["private:b", "public:B", "public:a", "public:b"]
    );
    assert_eq!(
        names(store, page("public:", "", "public:B", 9)),
        ["public:a", "public:b"]
    );
    assert_eq!(
        names(store, page("public:", "c:b", "", 9)),
        ["public:B", "public:b"]
    );
    assert_eq!(names(store, page("", "", "", 2)), ["private:b", "public:B"]);
    assert_eq!(names(store, page("%", "", "", 9)), [""; 0]);
    let found = list(store, page("public:b", "", "", 9));
    let expected = Known {
        name: "public:b".to_owned(),
        messages: 3,
        top: 3,
        created_ms: Some(NOW_MS),
    };
    assert_eq!(found, [expected]);
    assert_eq!(
        store.open("public:b", KEEP_ALL, NOW_MS + 5).created_ms,
        Some(NOW_MS)
    );
    assert_eq!(store.open("public:new", KEEP_ALL, NOW_MS).created_ms, None);
}
