//! `bmt-server user` and `bmt-server token` as an operator runs them, beside a server and without one.

use std::io::Write;
use std::path::Path;
use std::process::{Output, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::command::{Process, SECRET, command, output, text};

fn user(data_dir: &Path, args: &[&str]) -> Output {
    let data_dir = ["--data-dir", data_dir.to_str().unwrap()];
    output(&[&["user"], args, &data_dir[..]].concat(), &[])
}

/// The standard output of a command that must succeed.
fn said(output: &Output) -> String {
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout)
}

async fn login(address: &str, username: &str, password: &str) -> reqwest::Response {
    let url = format!("http://{address}/api/v1/auth/login");
    let body = json!({"username": username, "password": password});
    reqwest::Client::new().post(url).json(&body).send().await.unwrap()
}

async fn me(address: &str, token: &str) -> (u16, Value) {
    let url = format!("http://{address}/api/v1/auth/me");
    let response = reqwest::Client::new()
        .get(url)
        .bearer_auth(token)
        .send()
        .await
        .unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

fn address(lines: &[String]) -> String {
    let ready = lines.last().unwrap();
    ready.strip_prefix("listening on http://").unwrap().to_owned()
}

#[test]
fn accounts_are_kept_before_the_first_start_of_a_server() {
    let dir = TempDir::new().unwrap();
    let missing = user(&dir.path().join("nowhere"), &["list"]);
    assert!(!missing.status.success());
    assert!(
        text(&missing.stderr).contains("--data-dir"),
        "{}",
        text(&missing.stderr)
    );

    let made = said(&user(dir.path(), &["add", "Root", "--role", "admin"]));
    assert!(
        made.starts_with("made root  u_") && made.contains("admin  active"),
        "{made}"
    );
    assert!(made.lines().nth(1).unwrap().starts_with("password: "), "{made}");
    let taken = user(dir.path(), &["add", "root"]);
    assert!(!taken.status.success() && text(&taken.stderr).contains("taken"));

    said(&user(dir.path(), &["role", "root", "user"]));
    said(&user(dir.path(), &["block", "root"]));
    said(&user(dir.path(), &["block", "--elsewhere", "42"]));
    let listed = said(&user(dir.path(), &["list"]));
    assert!(
        listed
            .lines()
            .any(|line| line.starts_with("root  ") && line.contains("user  blocked")),
        "{listed}"
    );
    assert!(
        listed
            .lines()
            .any(|line| line.contains("  42  ") && line.contains("blocked")),
        "{listed}"
    );
    let slip = user(dir.path(), &["block", "rooot"]);
    assert!(!slip.status.success() && text(&slip.stderr).contains("user list"));
    said(&user(dir.path(), &["remove", "root"]));
    assert!(!said(&user(dir.path(), &["list"])).contains("root"));
}

#[tokio::test]
async fn beside_a_running_server_accounts_change_for_that_server_too() {
    let dir = TempDir::new().unwrap();
    let (_process, lines) = Process::start(dir.path());
    let address = address(&lines);
    let made = said(&user(dir.path(), &["add", "carol"]));
    let password = made.lines().nth(1).unwrap().strip_prefix("password: ").unwrap();
    let logged_in: Value = login(&address, "carol", password).await.json().await.unwrap();
    let token = logged_in["accessToken"].as_str().unwrap();

    let mut passwd = command(&[
        "user",
        "passwd",
        "carol",
        "--password-stdin",
        "--data-dir",
        dir.path().to_str().unwrap(),
    ]);
    let mut child = passwd
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(b"words of her own\n")
        .unwrap();
    let changed = text(&child.wait_with_output().unwrap().stdout);
    assert!(!changed.contains("words"), "{changed}");
    assert_eq!(login(&address, "carol", password).await.status(), 401);
    assert_eq!(login(&address, "carol", "words of her own").await.status(), 200);

    said(&user(dir.path(), &["block", "carol"]));
    let began = std::time::Instant::now();
    while me(&address, token).await.0 == 200 {
        assert!(
            began.elapsed() < std::time::Duration::from_secs(5),
            "the server never saw it"
        );
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!(login(&address, "carol", "words of her own").await.status(), 403);
}

#[tokio::test]
async fn a_token_from_the_command_line_speaks_for_its_user() {
    let dir = TempDir::new().unwrap();
    let data_dir = dir.path().to_str().unwrap();
    let (_process, lines) = Process::start(dir.path());
    let address = address(&lines);
    let token = |more: &[&str]| output(&[&["token", "--dev", "--data-dir", data_dir], more].concat(), &[]);
    let alice = said(&token(&["--user", "alice"]));
    let (status, body) = me(&address, alice.trim()).await;
    assert_eq!((status, &body["user"]["name"]), (200, &json!("Alice")));
    let other = said(&token(&["--user", "42", "--role", "admin", "--ttl", "60"]));
    let (status, body) = me(&address, other.trim()).await;
    assert_eq!(
        (status, &body["user"]["userId"], &body["user"]["role"]),
        (200, &json!("42"), &json!("admin"))
    );
    let reserved = token(&["--user", "guest_1"]);
    assert!(!reserved.status.success() && text(&reserved.stderr).contains("malformed"));
    let forever = token(&["--user", "42", "--ttl", "0"]);
    assert!(!forever.status.success() && text(&forever.stderr).contains("--ttl"));
}

#[test]
fn a_token_needs_the_servers_secret() {
    let dir = TempDir::new().unwrap();
    let args = [
        "token",
        "--user",
        "42",
        "--data-dir",
        dir.path().to_str().unwrap(),
    ];
    let without = output(&args, &[]);
    assert!(!without.status.success() && text(&without.stderr).contains("auth.jwt_secret"));
    let with = said(&output(&args, &[("BMT_AUTH__JWT_SECRET", SECRET)]));
    assert_eq!(with.trim().split('.').count(), 3, "{with}");
}
