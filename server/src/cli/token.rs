//! `bmt-server token`: an access token for scripts and for trying things out, signed with the configured secret.

use bmt_shared::id::UserId;
use bmt_shared::identity::{Role, User};
use clap::{Args, ValueEnum};

use super::user::{find, with_accounts};
use super::{Settings, say};
use crate::accounts::{Account, Accounts};
use crate::auth::Authenticator;
use crate::clock;
use crate::config::{Config, Mode};
use crate::data_dir::DataDir;
use crate::serve::ACCOUNTS_FILE;

/// Longest life of a token, s: a year. Nothing but a block of the user takes it back.
const LONGEST_S: u64 = 365 * 24 * 60 * 60;

#[derive(Args)]
pub(super) struct Wish {
    /// For whom: a username, or a user id, known here or not
    #[arg(long, value_name = "ID")]
    user: String,
    /// The role of somebody without an account here [default: user]
    #[arg(long, value_enum)]
    role: Option<TokenRole>,
    /// How many seconds it lives [default: auth.access_ttl_s]
    #[arg(long, value_name = "SECONDS")]
    ttl: Option<u64>,
}

#[derive(Clone, Copy, ValueEnum)]
enum TokenRole {
    Admin,
    User,
    Guest,
}

pub(super) fn run(settings: Settings, wish: &Wish) -> Result<(), String> {
    let mut config = settings.load().map_err(|error| error.to_string())?;
    let data_dir = config.store.data_dir.clone();
    if config.mode == Mode::Dev && config.auth.jwt_secret.is_empty() {
        config.auth.jwt_secret = DataDir::known_dev_secret(&data_dir).ok_or_else(|| {
            format!(
                "{} holds no secret of dev mode yet: start `bmt-server serve --dev` there once, or set \
                 `auth.jwt_secret`.",
                data_dir.display()
            )
        })?;
    }
    let makes = !data_dir.join(ACCOUNTS_FILE).exists();
    let token = with_accounts(&data_dir, makes, &config, async |accounts| {
        make(&accounts, &config, wish).await
    })?;
    say(&token);
    Ok(())
}

async fn make(accounts: &Accounts, config: &Config, wish: &Wish) -> Result<String, String> {
    let authenticator = Authenticator::new(&config.auth, accounts.standings());
    match find(accounts, &wish.user).await? {
        Some(account) if account.username.is_some() => {
            of_account(accounts, &authenticator, config, wish, account).await
        }
        _ => of_elsewhere(&authenticator, config, wish),
    }
}

/// A login of the account, so that it is listed and can be ended like any other.
async fn of_account(
    accounts: &Accounts,
    authenticator: &Authenticator,
    config: &Config,
    wish: &Wish,
    account: Account,
) -> Result<String, String> {
    if wish.role.is_some() {
        return Err(
            "This user has an account, whose role holds: leave `--role` out, or change it with \
                    `bmt-server user role`."
                .to_owned(),
        );
    }
    if wish.ttl.is_some_and(|ttl| ttl != config.auth.access_ttl_s) {
        return Err(format!(
            "Tokens of accounts live {} seconds (`auth.access_ttl_s`): leave `--ttl` out.",
            config.auth.access_ttl_s
        ));
    }
    if account.blocked {
        return Err("This account is blocked. `bmt-server user unblock` lets it in again.".to_owned());
    }
    let now_ms = clock::unix_ms();
    let login = accounts
        .begin_for_command(account, now_ms)
        .await
        .map_err(|error| error.to_string())?;
    Ok(authenticator.issue(&login.user, &login.session, now_ms).token)
}

fn of_elsewhere(authenticator: &Authenticator, config: &Config, wish: &Wish) -> Result<String, String> {
    let lives_s = wish.ttl.unwrap_or(config.auth.access_ttl_s);
    if !(1..=LONGEST_S).contains(&lives_s) {
        return Err(format!(
            "`--ttl` must be between 1 and {LONGEST_S} seconds, which is a year."
        ));
    }
    let user = User {
        user_id: UserId::new(&wish.user),
        name: wish.user.clone(),
        role: match wish.role {
            Some(TokenRole::Admin) => Role::Admin,
            Some(TokenRole::Guest) => Role::Guest,
            Some(TokenRole::User) | None => Role::User,
        },
        permissions: Vec::new(),
    };
    let now_ms = clock::unix_ms();
    let token = authenticator.issue_as_elsewhere(&user, lives_s, now_ms).token;
    // Whoever gets it should not be the first to learn that the server refuses it.
    match authenticator.authenticate(Some(&token), now_ms) {
        Ok(_) => Ok(token),
        Err(reason) => Err(format!(
            "The server would refuse this token ({}): check `--user`, whether the user is blocked, and `auth`.",
            reason.as_str()
        )),
    }
}
