//! Direct conversations: `private:dm_<a>_<b>`, open to the two users it names (SPEC §3).

use crate::channel::ChannelName;

const NAMESPACE: &str = "private";
const PREFIX: &str = "dm_";
/// Ids of built-in accounts are this and [`BUILT_IN_DIGITS`] more characters, of which `_` is one.
const BUILT_IN_PREFIX: &str = "u_";
const BUILT_IN_DIGITS: usize = 16;

/// Whether the name is one of a direct conversation, whomever it is between.
#[must_use]
pub fn is_direct(channel: &ChannelName) -> bool {
    rest(channel).is_some()
}

/// The two users whom a direct conversation is between, in the order of the name.
///
/// `_` stands between the ids and may stand in them. A name is read only where it can be read in one way, with ids
/// that have no `_` or are those of built-in accounts; everybody must read the same two, or a third user could
/// choose an id that is the end of somebody else's. Other names are decided by a member list.
#[must_use]
pub fn direct_pair(channel: &ChannelName) -> Option<(&str, &str)> {
    let rest = rest(channel)?;
    let mut readings = rest
        .match_indices('_')
        .map(|(at, _)| (&rest[..at], &rest[at + 1..]))
        .filter(|(one, other)| is_plain(one) && is_plain(other));
    let reading = readings.next()?;
    readings.next().is_none().then_some(reading)
}

/// The other side of a direct conversation, as `user` reads its name: what is left of it besides the user's own id.
///
/// Unlike [`direct_pair`] this takes any ids, so it says who could be meant and grants nothing.
#[must_use]
pub fn direct_peer<'a>(channel: &'a ChannelName, user: &str) -> Vec<&'a str> {
    let Some(rest) = rest(channel) else {
        return Vec::new();
    };
    let after = rest.strip_prefix(user).and_then(|rest| rest.strip_prefix('_'));
    let before = rest.strip_suffix(user).and_then(|rest| rest.strip_suffix('_'));
    after
        .into_iter()
        .chain(before)
        .filter(|id| !id.is_empty())
        .collect()
}

fn rest(channel: &ChannelName) -> Option<&str> {
    let (namespace, rest) = channel.as_str().split_once(':')?;
    let rest = rest.strip_prefix(PREFIX)?;
    (namespace == NAMESPACE && !rest.contains(':')).then_some(rest)
}

fn is_plain(id: &str) -> bool {
    let built_in = id.strip_prefix(BUILT_IN_PREFIX);
    !id.is_empty() && (!id.contains('_') || built_in.is_some_and(|digits| digits.len() == BUILT_IN_DIGITS))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(name: &str) -> Option<(String, String)> {
        let channel = ChannelName::parse(name).unwrap();
        direct_pair(&channel).map(|(a, b)| (a.to_owned(), b.to_owned()))
    }

    #[test]
    fn a_name_that_reads_in_one_way_names_its_two() {
        let read =
            |a: &str, b: &str| assert_eq!(pair(&format!("private:dm_{a}_{b}")), Some((a.into(), b.into())));
        read("1", "12");
        read("u_0123456789abcdef", "u_fedc_ba987654321");
        read("alice", "u_0123456789ab_-ef");
        read("u_0123456789abcdef", "alice");
    }

    #[test]
    fn a_name_that_reads_in_several_ways_names_nobody() {
        for name in [
            "private:dm_a_b_c",
            "private:dm_",
            "private:dm_a",
            "private:dm__b",
            "private:dm_a_b:c",
            "public:dm_a_b",
            // Either the account of 16 digits and `b`, or `u` and the account whose digits end in `_b`.
            "private:dm_u_u_34567890abcdef_b",
        ] {
            assert_eq!(pair(name), None, "{name}");
        }
    }

    #[test]
    fn the_peer_is_what_is_left_of_the_name() {
        let channel = ChannelName::parse("private:dm_a_b_c").unwrap();
        assert_eq!(direct_peer(&channel, "a"), ["b_c"]);
        assert_eq!(direct_peer(&channel, "c"), ["a_b"]);
        assert!(direct_peer(&channel, "b").is_empty());
        let own = ChannelName::parse("private:dm_a_a").unwrap();
        assert_eq!(direct_peer(&own, "a"), ["a", "a"]);
    }
}
