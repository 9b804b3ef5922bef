//! Logins from the password to the logout, on a database in a folder of their own.

use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::*;
use crate::auth::BUILT_IN_ISSUER;
use crate::config::{Mode, Secret};

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const PASSWORD: &str = "correct horse";
const NOW_MS: u64 = 1_700_000_000_000;
const MINUTE_MS: u64 = 60_000;

fn config(mode: Mode) -> Config {
    let mut config = Config::defaults(mode);
    config.auth.jwt_secret = Secret::new("a secret of more than thirty-two bytes");
    config
}

fn open(dir: &TempDir, mode: Mode) -> Accounts {
    Accounts::open(&dir.path().join("accounts.db"), &config(mode), NOW_MS).unwrap()
}

async fn dev_accounts() -> (Accounts, TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let accounts = open(&dir, Mode::Dev);
    accounts
        .make_dev_accounts(&Secret::new(PASSWORD), NOW_MS)
        .await
        .unwrap();
    (accounts, dir)
}

#[tokio::test]
async fn a_login_is_for_the_account_whose_password_fits_whatever_the_case_of_its_username() {
    let (accounts, _dir) = dev_accounts().await;
    let login = accounts.login(" Alice ", PASSWORD, HERE, NOW_MS).await.unwrap();
    assert_eq!(login.user.name, "Alice");
    assert!(login.user.user_id.as_str().starts_with("u_"));
    assert!(!login.user.user_id.as_str().contains("alice"));
    for (username, password) in [("alice", "wrong"), ("nobody", PASSWORD), ("", ""), ("alice", "")] {
        let refused = accounts.login(username, password, HERE, NOW_MS).await;
        assert!(matches!(refused, Err(LoginError::Wrong)), "{username}");
    }
}

#[tokio::test]
async fn each_refresh_token_is_spent_once_its_successor_was_used() {
    let (accounts, _dir) = dev_accounts().await;
    let mut revoked = accounts.revocations();
    let first = accounts.login("bob", PASSWORD, HERE, NOW_MS).await.unwrap();
    let second = accounts.refresh(&first.refresh_token, NOW_MS).await.unwrap();
    let again = accounts
        .refresh(&first.refresh_token, NOW_MS + MINUTE_MS)
        .await
        .unwrap();
    assert_eq!(
        second.refresh_token, again.refresh_token,
        "a lost answer is given again"
    );
    assert_ne!(second.refresh_token, first.refresh_token);

    let third = accounts
        .refresh(&second.refresh_token, NOW_MS + MINUTE_MS)
        .await
        .unwrap();
    let other_tab = accounts
        .refresh(&first.refresh_token, NOW_MS + MINUTE_MS + 1_000)
        .await
        .unwrap();
    assert_eq!(other_tab.refresh_token, third.refresh_token);

    let stolen = accounts
        .refresh(&first.refresh_token, NOW_MS + 2 * MINUTE_MS)
        .await;
    assert!(matches!(stolen, Err(RefreshError::Over)));
    let owner = accounts
        .refresh(&third.refresh_token, NOW_MS + 2 * MINUTE_MS)
        .await;
    assert!(matches!(owner, Err(RefreshError::Over)));
    assert!(accounts.standings().has_ended(&first.session));
    let expected = Revocation::Session {
        user: first.user.user_id,
        session: first.session,
    };
    assert_eq!(revoked.try_recv().unwrap(), expected);
}

#[tokio::test]
async fn a_forged_refresh_token_ends_nothing() {
    let (accounts, _dir) = dev_accounts().await;
    let login = accounts.login("bob", PASSWORD, HERE, NOW_MS).await.unwrap();
    for forged in [
        "",
        "x",
        &format!("{}.99.AAAA", login.session.as_str()),
        &format!("{}x", login.refresh_token),
    ] {
        assert!(matches!(
            accounts.refresh(forged, NOW_MS).await,
            Err(RefreshError::Over)
        ));
    }
    assert!(accounts.refresh(&login.refresh_token, NOW_MS).await.is_ok());
}

#[tokio::test]
async fn a_login_lasts_from_its_last_use_and_no_longer() {
    let (accounts, _dir) = dev_accounts().await;
    let day_ms = 24 * 60 * MINUTE_MS;
    let login = accounts.login("bob", PASSWORD, HERE, NOW_MS).await.unwrap();
    let later = accounts
        .refresh(&login.refresh_token, NOW_MS + 29 * day_ms)
        .await
        .unwrap();
    let much_later = accounts
        .refresh(&later.refresh_token, NOW_MS + 58 * day_ms)
        .await
        .unwrap();
    let too_late = accounts
        .refresh(&much_later.refresh_token, NOW_MS + 89 * day_ms)
        .await;
    assert!(matches!(too_late, Err(RefreshError::Over)));
}

#[tokio::test]
async fn a_logout_ends_its_login_and_no_other() {
    let (accounts, _dir) = dev_accounts().await;
    let one = accounts.login("bob", PASSWORD, HERE, NOW_MS).await.unwrap();
    let other = accounts.login("bob", PASSWORD, HERE, NOW_MS).await.unwrap();
    assert_eq!(accounts.session_of(&one.refresh_token), Some(one.session.clone()));
    accounts.logout(one.session.clone(), NOW_MS).await.unwrap();
    accounts.logout(one.session.clone(), NOW_MS).await.unwrap();
    assert!(accounts.standings().has_ended(&one.session));
    assert!(!accounts.standings().has_ended(&other.session));
    assert!(accounts.refresh(&one.refresh_token, NOW_MS).await.is_err());
    assert!(accounts.refresh(&other.refresh_token, NOW_MS).await.is_ok());
}

#[tokio::test]
async fn the_oldest_of_too_many_logins_ends() {
    let (accounts, _dir) = dev_accounts().await;
    let oldest = accounts.login("bob", PASSWORD, HERE, NOW_MS).await.unwrap();
    for _ in 0..50 {
        accounts.login("bob", PASSWORD, HERE, NOW_MS).await.unwrap();
    }
    assert!(accounts.standings().has_ended(&oldest.session));
    assert!(accounts.refresh(&oldest.refresh_token, NOW_MS).await.is_err());
}

#[tokio::test]
async fn logins_and_ended_logins_survive_a_restart() {
    let (accounts, dir) = dev_accounts().await;
    let ended = accounts.login("bob", PASSWORD, HERE, NOW_MS).await.unwrap();
    let held = accounts.login("bob", PASSWORD, HERE, NOW_MS).await.unwrap();
    accounts.logout(ended.session.clone(), NOW_MS).await.unwrap();
    drop(accounts);
    let accounts = open(&dir, Mode::Dev);
    let standings = accounts.standings();
    assert!(standings.has_ended(&ended.session));
    assert!(
        standings
            .of(BUILT_IN_ISSUER, held.user.user_id.as_str())
            .is_some()
    );
    assert!(accounts.refresh(&held.refresh_token, NOW_MS).await.is_ok());
}

#[tokio::test]
async fn a_blocked_account_is_out_everywhere_at_once() {
    let (accounts, _dir) = dev_accounts().await;
    let mut revoked = accounts.revocations();
    let login = accounts.login("bob", PASSWORD, HERE, NOW_MS).await.unwrap();
    accounts.block(&login.user.user_id).await.unwrap();
    let standing = accounts
        .standings()
        .of(BUILT_IN_ISSUER, login.user.user_id.as_str())
        .unwrap();
    assert!(standing.blocked);
    assert_eq!(
        revoked.try_recv().unwrap(),
        Revocation::User(login.user.user_id.clone())
    );
    assert!(accounts.refresh(&login.refresh_token, NOW_MS).await.is_err());
    let again = accounts.login("bob", PASSWORD, HERE, NOW_MS).await;
    assert!(matches!(again, Err(LoginError::Blocked)));
    accounts.unblock(&login.user.user_id).await.unwrap();
    assert!(accounts.login("bob", PASSWORD, HERE, NOW_MS).await.is_ok());
}

#[tokio::test]
async fn accounts_of_dev_mode_are_locked_out_in_production() {
    let (accounts, dir) = dev_accounts().await;
    let login = accounts.login("admin", PASSWORD, HERE, NOW_MS).await.unwrap();
    drop(accounts);
    let accounts = open(&dir, Mode::Production);
    assert!(matches!(
        accounts.login("admin", PASSWORD, HERE, NOW_MS).await,
        Err(LoginError::Blocked)
    ));
    assert!(accounts.refresh(&login.refresh_token, NOW_MS).await.is_err());
    assert!(
        accounts
            .standings()
            .of(BUILT_IN_ISSUER, login.user.user_id.as_str())
            .unwrap()
            .blocked
    );
    drop(accounts);
    assert!(
        open(&dir, Mode::Dev)
            .login("admin", PASSWORD, HERE, NOW_MS)
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn wrong_passwords_are_counted_and_right_ones_are_not() {
    let (accounts, _dir) = dev_accounts().await;
    for _ in 0..10 {
        accounts.login("alice", PASSWORD, HERE, NOW_MS).await.unwrap();
    }
    for _ in 0..5 {
        let wrong = accounts.login("alice", "wrong", HERE, NOW_MS).await;
        assert!(matches!(wrong, Err(LoginError::Wrong)));
    }
    let refused = accounts.login("alice", PASSWORD, HERE, NOW_MS).await;
    assert!(matches!(refused, Err(LoginError::TooMany(12_000))));
    assert!(
        accounts
            .login("alice", PASSWORD, HERE, NOW_MS + 12_000)
            .await
            .is_ok()
    );
}

/// FAULTS 52: nobody learns from the time of the answer whether an account exists.
#[tokio::test]
async fn an_unknown_username_takes_as_long_as_a_wrong_password() {
    let (accounts, _dir) = dev_accounts().await;
    let mut known = Vec::new();
    let mut unknown = Vec::new();
    for round in 0..15_u8 {
        let address = IpAddr::from([192, 0, 2, round]);
        let later = NOW_MS + u64::from(round) * MINUTE_MS;
        for (username, times) in [("alice", &mut known), ("nobody", &mut unknown)] {
            let began = Instant::now();
            accounts
                .login(username, "wrong", address, later)
                .await
                .unwrap_err();
            times.push(began.elapsed());
        }
    }
    // The quickest of each is the work itself; the rest is what else the machine did.
    let quickest = |times: &[Duration]| times.iter().min().unwrap().as_secs_f64();
    let ratio = quickest(&known) / quickest(&unknown);
    // Leaving the hash out would make it a hundred.
    assert!((0.5..2.0).contains(&ratio), "known/unknown = {ratio:.2}");
}
