//! Tokens good and bad. FAULTS 34 and 35 are the two tables here.

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use proptest::prelude::*;
use serde_json::{Value, json};
use sha2::{Sha256, Sha512};

use super::*;
use crate::config::Secret;

const SECRET: &str = "a secret of more than thirty-two bytes";
const NOW_MS: u64 = 1_700_000_000_500;
const NOW_S: u64 = 1_700_000_000;

#[derive(Default)]
struct Known {
    users: HashMap<(String, String), Standing>,
    ended: Vec<SessionId>,
}

impl Known {
    fn with(mut self, issuer: &str, subject: &str, standing: Standing) -> Self {
        self.users
            .insert((issuer.to_owned(), subject.to_owned()), standing);
        self
    }
}

impl Standings for Known {
    fn of(&self, issuer: &str, subject: &str) -> Option<Standing> {
        self.users.get(&(issuer.to_owned(), subject.to_owned())).copied()
    }

    fn has_ended(&self, session: &SessionId) -> bool {
        self.ended.contains(session)
    }
}

fn authenticator_with(change: impl FnOnce(&mut AuthConfig), known: Known) -> Authenticator {
    let mut config = AuthConfig {
        jwt_secret: Secret::new(SECRET),
        ..AuthConfig::default()
    };
    change(&mut config);
    Authenticator::new(&config, Arc::new(known))
}

fn authenticator() -> Authenticator {
    authenticator_with(|_| (), Known::default())
}

fn encode(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

fn sign(head: &str, secret: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(head.as_bytes());
    format!("{head}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}

fn token_with(header: &Value, claims: &Value) -> String {
    sign(&format!("{}.{}", encode(header), encode(claims)), SECRET)
}

fn token(claims: &Value) -> String {
    token_with(&json!({"alg": "HS256", "typ": "JWT"}), claims)
}

/// The claims of a good token, changed: a null takes a claim away.
#[expect(clippy::needless_pass_by_value, reason = "the rows are literals")]
fn claims(change: Value) -> Value {
    let mut claims = json!({"sub": "1", "iat": NOW_S, "exp": NOW_S + 60});
    let all = claims.as_object_mut().unwrap();
    for (name, value) in change.as_object().unwrap() {
        if value.is_null() {
            all.remove(name);
        } else {
            all.insert(name.clone(), value.clone());
        }
    }
    claims
}

fn reason(authenticator: &Authenticator, token: &str) -> AuthReason {
    authenticator.authenticate(Some(token), NOW_MS).expect_err(token)
}

#[test]
fn a_token_from_an_own_back_end_speaks_for_its_subject() {
    let identity = authenticator()
        .authenticate(
            Some(&token(&claims(
                json!({"name": "One", "role": "admin", "permissions": ["channel:private:x"]}),
            ))),
            NOW_MS,
        )
        .unwrap();
    assert_eq!(identity.user.user_id.as_str(), "1");
    assert_eq!(identity.user.name, "One");
    assert_eq!(identity.user.role, Role::Admin);
    assert_eq!(identity.user.permissions, ["channel:private:x"]);
    assert_eq!(identity.expires_at_ms, Some((NOW_S + 60) * 1_000));
    assert_eq!(identity.grant.session, None);
}

#[test]
fn the_scheme_in_front_is_optional_and_role_and_name_have_defaults() {
    let token = token(&claims(json!({})));
    for text in [
        token.clone(),
        format!("Bearer {token}"),
        format!("  bearer   {token} "),
    ] {
        let identity = authenticator().authenticate(Some(&text), NOW_MS).unwrap();
        assert_eq!(
            (identity.user.role, identity.user.name.as_str()),
            (Role::User, "1")
        );
    }
}

#[test]
fn access_tokens_may_say_their_type_and_nothing_else_passes_for_one() {
    for good in ["JWT", "jwt", "at+jwt", "AT+JWT"] {
        let token = token_with(&json!({"alg": "HS256", "typ": good}), &claims(json!({})));
        assert!(
            authenticator().authenticate(Some(&token), NOW_MS).is_ok(),
            "{good}"
        );
    }
    for other in ["refresh+jwt", "upload", "ticket", ""] {
        let token = token_with(&json!({"alg": "HS256", "typ": other}), &claims(json!({})));
        assert_eq!(reason(&authenticator(), &token), AuthReason::Malformed, "{other}");
    }
    let refresh = RefreshKey::derive(&Secret::new(SECRET)).seal(&RefreshToken {
        session: SessionId::new("s"),
        generation: 1,
    });
    assert_eq!(reason(&authenticator(), &refresh), AuthReason::Malformed);
}

/// FAULTS 34.
#[test]
fn algorithms_and_signatures_cannot_be_chosen_by_the_token() {
    let body = encode(&claims(json!({})));
    for algorithm in [
        "none", "None", "nOnE", "HS512", "HS384", "RS256", "ES256", "EdDSA", "hs256", "",
    ] {
        let header = encode(&json!({"alg": algorithm, "typ": "JWT"}));
        for forged in [
            format!("{header}.{body}."),
            sign(&format!("{header}.{body}"), SECRET),
        ] {
            assert_eq!(
                reason(&authenticator(), &forged),
                AuthReason::InvalidSignature,
                "{algorithm}"
            );
        }
    }
    let header = encode(&json!({"alg": "HS256"}));
    let swapped = {
        let mut mac = Hmac::<Sha512>::new_from_slice(SECRET.as_bytes()).unwrap();
        mac.update(format!("{header}.{body}").as_bytes());
        format!(
            "{header}.{body}.{}",
            URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
        )
    };
    let good = token(&claims(json!({})));
    let truncated = good[..good.len() - 4].to_owned();
    let wrong_key = sign(&format!("{header}.{body}"), "another secret of thirty-two bytes!");
    for forged in [format!("{header}.{body}."), swapped, truncated, wrong_key] {
        assert_eq!(
            reason(&authenticator(), &forged),
            AuthReason::InvalidSignature,
            "{forged}"
        );
    }
    let must_understand = token_with(
        &json!({"alg": "HS256", "crit": ["x"], "x": 1}),
        &claims(json!({})),
    );
    assert_eq!(reason(&authenticator(), &must_understand), AuthReason::Malformed);
}

/// FAULTS 35.
#[test]
fn every_claim_is_of_its_type_and_in_its_time() {
    use AuthReason::{Expired, Malformed, NotYetValid};
    let rows = [
        (json!({"exp": "1800000000"}), Malformed),
        (json!({"exp": 1_800_000_000.5}), Malformed),
        (json!({"exp": -1}), Malformed),
        (json!({"exp": 1e30}), Malformed),
        (json!({"exp": NOW_MS + 60_000}), Malformed),
        (json!({"exp": u64::MAX}), Malformed),
        (json!({"exp": null}), Malformed),
        (json!({"exp": NOW_S - 6}), Expired),
        (json!({"exp": 0}), Expired),
        (json!({"nbf": "1600000000"}), Malformed),
        (json!({"nbf": NOW_S + 60}), NotYetValid),
        (json!({"nbf": u64::MAX}), NotYetValid),
        (json!({"iat": NOW_S + 60}), NotYetValid),
        (json!({"iat": "now"}), Malformed),
        (json!({"sub": null}), Malformed),
        (json!({"sub": ""}), Malformed),
        (json!({"sub": 1}), Malformed),
        (json!({"sub": "a\nb"}), Malformed),
        (json!({"sub": "x".repeat(256)}), Malformed),
        (json!({"sub": "guest_1"}), Malformed),
        (json!({"role": "root"}), Malformed),
        (json!({"permissions": "all"}), Malformed),
    ];
    for (change, expected) in rows {
        let text = token(&claims(change.clone()));
        assert_eq!(reason(&authenticator(), &text), expected, "{change}");
    }
    for garbage in [
        "",
        "a",
        "a.b",
        "a.b.c",
        "a.b.c.d",
        "..",
        "Bearer",
        "\u{0}.\u{0}.\u{0}",
    ] {
        let told = reason(&authenticator(), garbage);
        assert!(
            matches!(told, Malformed | AuthReason::Missing),
            "{garbage}: {told:?}"
        );
    }
    let long = token(&claims(json!({"permissions": vec!["x".repeat(100); 100]})));
    assert_eq!(reason(&authenticator(), &long), Malformed);
}

#[test]
fn a_claim_that_stands_twice_is_malformed() {
    let body = format!(r#"{{"sub":"1","sub":"2","exp":{}}}"#, NOW_S + 60);
    let head = format!(
        "{}.{}",
        encode(&json!({"alg": "HS256"})),
        URL_SAFE_NO_PAD.encode(body)
    );
    assert_eq!(
        reason(&authenticator(), &sign(&head, SECRET)),
        AuthReason::Malformed
    );
}

/// FAULTS 38. The best of several tries: the machine may be busy, the work is the same.
#[test]
fn tokens_of_a_megabyte_and_of_odd_shapes_are_refused_within_5_ms() {
    let authenticator = authenticator();
    let good = token(&claims(json!({})));
    let large = claims(json!({"name": "x".repeat(1 << 20)}));
    let odd = [
        token(&large),
        "x".repeat(1 << 20),
        ".".repeat(1 << 20),
        format!("{good}.x.y.z"),
        ".....".to_owned(),
        format!("{good}="),
        good.replace('.', "=."),
        good.replace('.', "\n."),
        good.replace('.', ". "),
    ];
    for odd in odd {
        let took = (0..10).map(|_| {
            let began = std::time::Instant::now();
            let refused = reason(&authenticator, &odd);
            let shown = odd.get(..40).unwrap_or(&odd);
            assert!(
                [AuthReason::Malformed, AuthReason::InvalidSignature].contains(&refused),
                "{shown}: {refused}"
            );
            began.elapsed()
        });
        let least = took.min().unwrap();
        assert!(least < std::time::Duration::from_millis(5), "{least:?}");
    }
}

#[test]
fn clocks_may_be_five_seconds_apart_and_not_more() {
    let ok = |change: Value| authenticator().authenticate(Some(&token(&claims(change))), NOW_MS);
    assert!(ok(json!({"exp": NOW_S - 4})).is_ok());
    assert_eq!(ok(json!({"exp": NOW_S - 5})), Err(AuthReason::Expired));
    assert!(ok(json!({"nbf": NOW_S + 5})).is_ok());
    assert_eq!(ok(json!({"nbf": NOW_S + 6})), Err(AuthReason::NotYetValid));
}

#[test]
fn issuer_and_audience_hold_where_they_are_configured() {
    let strict = authenticator_with(
        |config| {
            config.issuer = "https://id.example".to_owned();
            config.audience = "chat".to_owned();
        },
        Known::default(),
    );
    let good = json!({"iss": "https://id.example", "aud": ["shop", "chat"]});
    assert!(strict.authenticate(Some(&token(&claims(good))), NOW_MS).is_ok());
    for bad in [
        json!({}),
        json!({"iss": "https://id.example"}),
        json!({"iss": "https://id.example", "aud": "shop"}),
        json!({"iss": "https://id.example", "aud": ["shop"]}),
        json!({"iss": "https://id.example/", "aud": "chat"}),
        json!({"aud": "chat"}),
    ] {
        let text = token(&claims(bad.clone()));
        assert_eq!(reason(&strict, &text), AuthReason::InvalidSignature, "{bad}");
    }
    let odd = token(&claims(json!({"iss": "https://id.example", "aud": 5})));
    assert_eq!(reason(&strict, &odd), AuthReason::Malformed);
}

#[test]
fn without_a_token_a_guest_comes_in_only_where_guests_are_allowed() {
    let open = authenticator_with(|config| config.guests = true, Known::default());
    let guest = open.authenticate(None, NOW_MS).unwrap();
    assert!(guest.user.user_id.as_str().starts_with(GUEST_PREFIX));
    assert_eq!(guest.user.role, Role::Guest);
    assert_ne!(
        open.authenticate(None, NOW_MS).unwrap().user.user_id,
        guest.user.user_id
    );
    assert_eq!(reason(&open, "garbage"), AuthReason::Malformed);
    assert_eq!(
        authenticator().authenticate(None, NOW_MS),
        Err(AuthReason::Missing)
    );
    assert_eq!(reason(&authenticator(), "Bearer "), AuthReason::Missing);
}

#[test]
fn the_account_store_outranks_the_token() {
    let blocked = Standing {
        blocked: true,
        ..Standing::default()
    };
    let demoted = Standing {
        role: Some(Role::User),
        blocked: false,
    };
    let known = Known::default()
        .with("", "blocked", blocked)
        .with("", "demoted", demoted)
        .with("https://other", "free", blocked);
    let authenticator = authenticator_with(|_| (), known);
    let as_who = |sub: &str| {
        let text = token(&claims(json!({"sub": sub, "role": "admin"})));
        authenticator.authenticate(Some(&text), NOW_MS)
    };
    assert_eq!(as_who("blocked"), Err(AuthReason::Revoked));
    assert_eq!(as_who("demoted").unwrap().user.role, Role::User);
    assert_eq!(as_who("free").unwrap().user.role, Role::Admin);
}

#[test]
fn a_login_ends_with_its_session_and_with_its_account() {
    let user = User {
        user_id: UserId::new("u_1"),
        name: "Alice".to_owned(),
        role: Role::User,
        permissions: vec!["private_channel_access".to_owned()],
    };
    let session = SessionId::mint();
    let known = |ended: Vec<SessionId>| Known {
        ended,
        ..Known::default().with(BUILT_IN_ISSUER, "u_1", Standing::default())
    };
    let authenticator = authenticator_with(|config| config.audience = "chat".to_owned(), known(Vec::new()));
    let access = authenticator.issue(&user, &session, NOW_MS);
    assert_eq!(access.expires_in_s, 15 * 60);
    let identity = authenticator.authenticate(Some(&access.token), NOW_MS).unwrap();
    assert_eq!(
        (identity.user, identity.grant.session.as_ref()),
        (user, Some(&session))
    );

    let late = NOW_MS + (15 * 60 + 6) * 1_000;
    assert_eq!(
        authenticator.authenticate(Some(&access.token), late),
        Err(AuthReason::Expired)
    );
    let change = |config: &mut AuthConfig| config.audience = "chat".to_owned();
    let logged_out = authenticator_with(change, known(vec![session]));
    assert_eq!(reason(&logged_out, &access.token), AuthReason::Revoked);
    let deleted = authenticator_with(change, Known::default());
    assert_eq!(reason(&deleted, &access.token), AuthReason::Revoked);
}

#[test]
fn nobody_from_elsewhere_becomes_a_built_in_account() {
    let known = Known::default().with(BUILT_IN_ISSUER, "u_1", Standing::default());
    let authenticator = authenticator_with(|_| (), known);
    let text = token(&claims(json!({"sub": "u_1", "role": "admin"})));
    assert_eq!(reason(&authenticator, &text), AuthReason::Malformed);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// FAULTS 34, 35: whatever a stranger sends.
    #[test]
    fn any_text_is_refused_with_a_reason_and_never_a_panic(text in ".{0,200}") {
        let told = authenticator().authenticate(Some(&text), NOW_MS);
        prop_assert!(told.is_err());
    }

    #[test]
    fn any_header_and_claims_under_a_wrong_key_are_refused(
        header in "\\PC{0,60}",
        claims in "\\PC{0,120}",
        signature in proptest::collection::vec(any::<u8>(), 0..64),
    ) {
        let text = format!(
            "{}.{}.{}",
            URL_SAFE_NO_PAD.encode(header),
            URL_SAFE_NO_PAD.encode(claims),
            URL_SAFE_NO_PAD.encode(signature)
        );
        prop_assert!(authenticator().authenticate(Some(&text), NOW_MS).is_err());
    }

    #[test]
    fn any_claims_under_our_key_are_an_identity_or_a_reason(claims in arbitrary_claims()) {
        if let Ok(identity) = authenticator().authenticate(Some(&token(&claims)), NOW_MS) {
            let subject = identity.user.user_id;
            prop_assert_eq!(claims["sub"].as_str(), Some(subject.as_str()));
            prop_assert!(!subject.as_str().is_empty() && !subject.as_str().starts_with(GUEST_PREFIX));
            prop_assert!(identity.expires_at_ms.is_some_and(|ends| ends + 5_000 > NOW_MS));
        }
    }
}

/// Claims by their right names, with values that are often wrong and sometimes right.
fn arbitrary_claims() -> impl Strategy<Value = Value> {
    let value = || {
        prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            (NOW_S - 10..NOW_S + 10).prop_map(Value::from),
            ".{0,20}".prop_map(Value::from),
            proptest::collection::vec(".{0,5}", 0..3).prop_map(Value::from),
            prop_oneof![Just("admin"), Just("guest_1"), Just(BUILT_IN_ISSUER)].prop_map(Value::from),
        ]
    };
    let names = [
        "sub",
        "exp",
        "iat",
        "nbf",
        "iss",
        "aud",
        "sid",
        "name",
        "role",
        "permissions",
    ];
    proptest::sample::subsequence(names.to_vec(), 0..=names.len()).prop_flat_map(move |names| {
        let values = proptest::collection::vec(value(), names.len());
        (Just(names), values).prop_map(|(names, values)| {
            let mut claims = json!({"sub": "1", "exp": NOW_S + 60});
            for (name, value) in names.into_iter().zip(values) {
                claims[name] = value;
            }
            claims
        })
    })
}
