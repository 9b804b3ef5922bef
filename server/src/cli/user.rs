//! `bmt-server user`: accounts from the command line, whether or not a server is running.
//!
//! Without a server the command takes the data folder's lock while it works. Beside a server it writes into the
//! same database, which SQLite allows; the server sees it within a second and drops who lost their rights.

use std::io::BufRead;
use std::path::Path;

use bmt_shared::id::UserId;
use bmt_shared::identity::{Role, User};
use clap::{Subcommand, ValueEnum};

use super::{Settings, say};
use crate::accounts::{Account, AccountError, Accounts, NewAccount};
use crate::clock;
use crate::config::{Config, Mode, Secret};
use crate::data_dir::{DataDir, DataDirError};
use crate::random;
use crate::serve::ACCOUNTS_FILE;

/// What is done with accounts. USER is a username or a user id.
#[derive(Subcommand)]
pub(super) enum Task {
    /// Make an account; a password is made and printed unless one is given
    Add {
        /// What is typed at login
        username: String,
        /// What is shown to people [default: the username]
        #[arg(long, default_value = "", hide_default_value = true)]
        name: String,
        /// What it may do
        #[arg(long, value_enum, default_value = "user")]
        role: AccountRole,
        /// Read the password from the first line of standard input
        #[arg(long)]
        password_stdin: bool,
    },
    /// List all accounts, and the users from elsewhere of whom something is kept
    List,
    /// Give an account a new password and end its logins; one is made and printed unless it is given
    Passwd {
        user: String,
        /// Read the password from the first line of standard input
        #[arg(long)]
        password_stdin: bool,
    },
    /// Give a user a role, which outranks the one in tokens
    Role {
        user: String,
        #[arg(value_enum)]
        role: AccountRole,
        /// USER is the id of somebody whose tokens are issued elsewhere
        #[arg(long)]
        elsewhere: bool,
    },
    /// Keep a user out: logins end, connections close, tokens are refused
    Block {
        user: String,
        /// USER is the id of somebody whose tokens are issued elsewhere
        #[arg(long)]
        elsewhere: bool,
    },
    /// Let a user in again
    Unblock {
        user: String,
        /// USER is the id of somebody whose tokens are issued elsewhere
        #[arg(long)]
        elsewhere: bool,
    },
    /// Remove an account; its user id is never given to anybody else
    Remove { user: String },
}

/// The roles of accounts; guests have none.
#[derive(Clone, Copy, ValueEnum)]
pub(super) enum AccountRole {
    Admin,
    User,
}

impl From<AccountRole> for Role {
    fn from(role: AccountRole) -> Self {
        match role {
            AccountRole::Admin => Self::Admin,
            AccountRole::User => Self::User,
        }
    }
}

pub(super) fn run(settings: Settings, task: Task) -> Result<(), String> {
    let data_dir = settings.data_dir()?;
    let makes = matches!(task, Task::Add { .. });
    // No token is made or opened here, so any secret does.
    let mut config = Config::defaults(Mode::Production);
    config.auth.jwt_secret = Secret::new(random::text::<32>());
    with_accounts(&data_dir, makes, &config, async |accounts| {
        perform(&accounts, task).await
    })
}

/// Opens the accounts of a data folder, makes it where `makes`, and does something with them.
pub(super) fn with_accounts<T>(
    data_dir: &Path,
    makes: bool,
    config: &Config,
    act: impl AsyncFnOnce(Accounts) -> Result<T, String>,
) -> Result<T, String> {
    let path = data_dir.join(ACCOUNTS_FILE);
    if !makes && !path.exists() {
        return Err(format!(
            "{} is not there. Name the server's data folder with `--data-dir` or `store.data_dir`.",
            path.display()
        ));
    }
    let lock = match DataDir::open(data_dir) {
        Ok(lock) => Some(lock),
        Err(DataDirError::Taken { .. }) => None,
        Err(error) => return Err(error.to_string()),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("The command cannot start: {error}."))?;
    let done = runtime.block_on(async {
        let accounts = Accounts::open_for_command(&path, lock.is_none(), config, clock::unix_ms())
            .map_err(|error| error.to_string())?;
        act(accounts).await
    });
    drop(lock);
    done
}

async fn perform(accounts: &Accounts, task: Task) -> Result<(), String> {
    let told = |error: AccountError| error.to_string();
    match task {
        Task::Add {
            username,
            name,
            role,
            password_stdin,
        } => {
            let (password, made) = password(password_stdin)?;
            let new = NewAccount {
                username,
                name,
                role: role.into(),
                password: Some(password.clone()),
            };
            let account = accounts.create(new).await.map_err(told)?;
            say(&format!("made {}", line(&account)));
            tell(&password, made);
        }
        Task::List => {
            for account in accounts.list().await.map_err(|error| error.to_string())? {
                say(&line(&account));
            }
        }
        Task::Passwd { user, password_stdin } => {
            let user = resolve(accounts, &user, false).await?;
            let (password, made) = password(password_stdin)?;
            let account = accounts.set_password(&user, &password).await.map_err(told)?;
            say(&format!(
                "changed the password of {}; its logins have ended",
                line(&account)
            ));
            tell(&password, made);
        }
        Task::Role {
            user,
            role,
            elsewhere,
        } => {
            let user = resolve(accounts, &user, elsewhere).await?;
            say(&line(&accounts.set_role(&user, role.into()).await.map_err(told)?));
        }
        Task::Block { user, elsewhere } => {
            let user = resolve(accounts, &user, elsewhere).await?;
            say(&line(&accounts.block(&user).await.map_err(told)?));
        }
        Task::Unblock { user, elsewhere } => {
            let user = resolve(accounts, &user, elsewhere).await?;
            say(&line(&accounts.unblock(&user).await.map_err(told)?));
        }
        Task::Remove { user } => {
            let user = resolve(accounts, &user, false).await?;
            accounts.remove(&user).await.map_err(told)?;
            say(&format!("removed {user}"));
        }
    }
    Ok(())
}

/// Whom the operator means. A name that nobody has is most often a slip of the pen, so it is taken for the id of
/// somebody from elsewhere only where that was said.
async fn resolve(accounts: &Accounts, user: &str, elsewhere: bool) -> Result<UserId, String> {
    let id = UserId::new(user);
    if elsewhere {
        return Ok(id);
    }
    match find(accounts, user).await? {
        Some(account) => Ok(account.user.user_id),
        None => Err(format!(
            "There is no account {user:?}. `bmt-server user list` shows which there are; for somebody whose tokens \
             are issued elsewhere add `--elsewhere`."
        )),
    }
}

/// The account of this username or user id.
pub(super) async fn find(accounts: &Accounts, user: &str) -> Result<Option<Account>, String> {
    let found = match accounts.find(user).await {
        Err(AccountError::Unknown) => accounts.get(&UserId::new(user)).await,
        found => found,
    };
    match found {
        Ok(account) => Ok(Some(account)),
        Err(AccountError::Unknown) => Ok(None),
        Err(error) => Err(error.to_string()),
    }
}

/// The password, and whether it was made here.
fn password(from_stdin: bool) -> Result<(Secret, bool), String> {
    if !from_stdin {
        return Ok((Secret::new(random::text::<15>()), true));
    }
    let mut line = String::new();
    let read = std::io::stdin().lock().read_line(&mut line);
    read.map_err(|error| format!("The password cannot be read from standard input: {error}."))?;
    Ok((Secret::new(line.trim_end_matches(['\r', '\n'])), false))
}

fn tell(password: &Secret, made: bool) {
    if made {
        say(&format!("password: {}", password.reveal()));
    }
}

/// Username, id, role, state and name, two spaces apart.
fn line(account: &Account) -> String {
    let username = account.username.as_deref().unwrap_or("(from elsewhere)");
    let state = if account.blocked { "blocked" } else { "active" };
    let User {
        user_id, name, role, ..
    } = &account.user;
    format!("{username}  {user_id}  {}  {state}  {name}", role.as_str())
}
