//! From an error code to the sentence that a person reads.

use super::Words;

/// The sentence for a code of SPEC §10, or of the client's own queue (SPEC §9).
#[must_use]
pub(crate) fn refusal(words: &Words, code: &str) -> String {
    let refusal = &words.refusal;
    let sentence = match code {
        "connect_error" => refusal.connect_error,
        "authentication_failed" => refusal.authentication_failed,
        "invalid_protocol" => refusal.invalid_protocol,
        "server_error" => refusal.server_error,
        "invalid_message" => refusal.invalid_message,
        "message_too_large" => refusal.message_too_large,
        "rate_limited" => refusal.rate_limited,
        "idempotency_conflict" => refusal.idempotency_conflict,
        "channel_not_found" => refusal.channel_not_found,
        "subscribe_failed" => refusal.subscribe_failed,
        "permission_denied" => refusal.permission_denied,
        "invalid_operation" => refusal.invalid_operation,
        "connection_not_found" => refusal.connection_not_found,
        "queue_expired" => refusal.queue_expired,
        "queue_overflow" => refusal.queue_overflow,
        other => return (refusal.unknown)(other),
    };
    sentence.to_owned()
}

#[cfg(test)]
mod tests {
    use bmt_shared::error::ErrorCode;

    use super::super::Language;
    use super::*;

    #[test]
    fn every_code_of_the_protocol_has_its_own_sentence_in_every_language() {
        for language in Language::ALL {
            let mut sentences: Vec<String> = ErrorCode::ALL
                .iter()
                .map(|code| refusal(language.words(), code.as_str()))
                .collect();
            for (code, sentence) in ErrorCode::ALL.iter().zip(&sentences) {
                assert!(!sentence.contains(code.as_str()), "{language:?} {code}");
            }
            sentences.sort();
            sentences.dedup();
            assert_eq!(sentences.len(), ErrorCode::ALL.len(), "{language:?}");
        }
    }

    #[test]
    fn a_code_of_a_later_version_is_named() {
        for language in Language::ALL {
            assert!(refusal(language.words(), "from_the_future").contains("from_the_future"));
        }
    }
}
