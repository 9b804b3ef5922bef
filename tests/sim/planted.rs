//! Faults that are planted to see that the model finds them.

use std::mem::discriminant;

use crate::record::Violation;
use crate::run;
use crate::server::Sabotage;

/// Seeds in which a planted fault must be found at least once.
const SEEDS: u64 = 60;

/// Runs with the fault until the promise that it breaks is seen to be broken.
fn find(sabotage: Sabotage, promise: fn(String) -> Violation) {
    let wanted = discriminant(&promise(String::new()));
    let mut others = Vec::new();
    for violation in (0..SEEDS).filter_map(|seed| run(seed, sabotage).err()) {
        if discriminant(&violation) == wanted {
            return;
        }
        others.push(violation);
    }
    panic!("{sabotage:?} was not found out: {others:?}");
}

#[test]
fn a_server_that_acks_what_it_does_not_keep_is_found_out() {
    find(Sabotage::AckUnstored, Violation::AckedAndLost);
}

#[test]
fn a_server_that_forgets_ids_is_found_out() {
    find(Sabotage::ForgetIds, Violation::PublishedTwice);
}

#[test]
fn a_server_that_never_answers_is_found_out() {
    find(Sabotage::NeverAnswer, Violation::QueueStuck);
}

#[test]
fn a_message_that_is_swallowed_on_the_way_to_the_application_is_found_out() {
    find(Sabotage::SwallowMessage, Violation::Missed);
}

#[test]
fn storage_that_loses_what_it_was_given_is_found_out() {
    find(Sabotage::LoseWrites, Violation::Vanished);
}

#[test]
fn a_tab_that_knocks_on_with_tokens_that_have_ended_is_found_out() {
    find(Sabotage::KnockOn, Violation::KnockedAgain);
}

#[test]
fn a_connection_for_which_nobody_brings_the_next_token_is_found_out() {
    find(Sabotage::ForgetRefresh, Violation::NotRefreshed);
}

#[test]
fn a_session_that_no_websocket_takes_over_is_found_out() {
    find(Sabotage::RefuseUpgrade, Violation::StillPolling);
}

#[test]
fn a_message_that_is_handed_on_twice_is_found_out() {
    find(Sabotage::RepeatMessage, Violation::SeenAgain);
}

#[test]
fn a_channel_that_is_given_up_while_other_tabs_hold_it_is_found_out() {
    find(Sabotage::ForgetHolds, Violation::Missed);
}
