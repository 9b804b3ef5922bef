//! The command as an operator runs it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

pub(crate) const SECRET: &str = "a-secret-for-tests-only-0123456789abcdef";

/// The command without any setting of whoever runs the tests.
pub(crate) fn command(args: &[&str]) -> Command {
    let mut command = without_settings(Command::new(env!("CARGO_BIN_EXE_bmt-server")));
    command.args(args);
    command
}

/// The same by a shell that does something first, as the same process.
pub(crate) fn command_after(first: &str, args: &[&str]) -> Command {
    let mut command = without_settings(Command::new("sh"));
    let script = format!("{first}; exec \"$0\" \"$@\"");
    command.args(["-c", &script, env!("CARGO_BIN_EXE_bmt-server")]);
    command.args(args);
    command
}

fn without_settings(mut command: Command) -> Command {
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("BMT_") {
            command.env_remove(name);
        }
    }
    command
}

pub(crate) fn output(args: &[&str], env: &[(&str, &str)]) -> Output {
    command(args).envs(env.iter().copied()).output().unwrap()
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// A running server, killed when the test is over.
pub(crate) struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Process {
    pub(crate) fn start(data_dir: &Path) -> (Self, Vec<String>) {
        Self::start_with(data_dir, &[], Stdio::null())
    }

    /// Starts `serve --dev` and answers with what it wrote up to the line that says it is ready.
    fn start_with(data_dir: &Path, env: &[(&str, &str)], stderr: Stdio) -> (Self, Vec<String>) {
        let data_dir = data_dir.to_str().unwrap();
        let mut command = command(&["serve", "--dev", "--port", "0", "--data-dir", data_dir]);
        Self::launch(command.envs(env.iter().copied()).stderr(stderr))
    }

    /// Starts a server and answers with what it wrote up to the line that says it is ready.
    pub(crate) fn launch(command: &mut Command) -> (Self, Vec<String>) {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let mut lines = Vec::new();
        for line in out.lines() {
            let line = line.unwrap();
            let ready = line.starts_with("listening on ");
            lines.push(line);
            if ready {
                break;
            }
        }
        (Self(child), lines)
    }

    pub(crate) fn signal(&self, name: &str) {
        let id = self.0.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-s", name, &id])
                .status()
                .unwrap()
                .success()
        );
    }
}

#[test]
fn the_ready_line_names_the_real_address_and_a_made_password_is_told() {
    let dir = TempDir::new().unwrap();
    let (_process, lines) = Process::start(dir.path());
    let ready = lines.last().unwrap();
    let port: u16 = ready
        .strip_prefix("listening on http://127.0.0.1:")
        .unwrap()
        .parse()
        .unwrap();
    assert_ne!(port, 0);
    assert!(lines[0].contains("admin, alice, bob"), "{lines:?}");
    let (_, password) = lines[0].split_once("password: ").unwrap();
    assert!(password.len() >= 12, "{lines:?}");
}

#[test]
fn sigterm_ends_it_cleanly_and_soon() {
    let dir = TempDir::new().unwrap();
    let (mut process, _) = Process::start(dir.path());
    let began = Instant::now();
    process.signal("TERM");
    assert!(process.0.wait().unwrap().success());
    assert!(began.elapsed() < Duration::from_secs(10));
}

#[test]
fn a_second_signal_ends_it_at_once_whatever_is_under_way() {
    let dir = TempDir::new().unwrap();
    let (mut process, lines) = Process::start(dir.path());
    let address = lines
        .last()
        .unwrap()
        .strip_prefix("listening on http://")
        .unwrap();
    let mut unfinished = TcpStream::connect(address).unwrap();
    let head = "POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n\
                Content-Type: application/json\r\nContent-Length: 50\r\n\r\n";
    unfinished.write_all(head.as_bytes()).unwrap();
    // The server asks for the body, so the request is under way.
    let mut asked = [0; 12];
    unfinished.read_exact(&mut asked).unwrap();
    assert_eq!(&asked, b"HTTP/1.1 100");
    process.signal("TERM");
    // Nothing new is taken in: the first signal has been heard.
    let began = Instant::now();
    while TcpStream::connect(address).is_ok() {
        assert!(began.elapsed() < Duration::from_secs(5), "still listening");
        std::thread::yield_now();
    }
    assert!(
        process.0.try_wait().unwrap().is_none(),
        "the request under way holds it up"
    );
    process.signal("TERM");
    assert!(!process.0.wait().unwrap().success());
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
}

/// FAULTS 71.
#[test]
fn a_second_server_on_one_data_folder_is_refused() {
    let dir = TempDir::new().unwrap();
    let (_process, _) = Process::start(dir.path());
    let second = output(
        &[
            "serve",
            "--dev",
            "--port",
            "0",
            "--data-dir",
            dir.path().to_str().unwrap(),
        ],
        &[],
    );
    assert!(!second.status.success());
    let told = text(&second.stderr);
    assert!(
        told.contains("in use by another server") && told.contains("--data-dir"),
        "{told}"
    );
}

/// FAULTS 39.
#[test]
fn without_a_good_secret_it_does_not_start_and_says_how_to_make_one() {
    for weak in ["", "secret", "change-me", "12345678"] {
        let refused = output(&["serve", "--port", "0"], &[("BMT_AUTH__JWT_SECRET", weak)]);
        assert!(!refused.status.success(), "{weak}");
        let told = text(&refused.stderr);
        assert!(
            told.contains("auth.jwt_secret") && told.contains("openssl rand"),
            "{told}"
        );
        assert!(
            !told.contains("12345678") && !told.contains("change-me"),
            "{told}"
        );
    }
}

#[test]
fn a_known_port_is_named_when_it_is_taken() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let dir = TempDir::new().unwrap();
    let refused = output(
        &[
            "serve",
            "--dev",
            "--port",
            &port,
            "--data-dir",
            dir.path().to_str().unwrap(),
        ],
        &[],
    );
    assert!(!refused.status.success());
    let told = text(&refused.stderr);
    assert!(told.contains(&port) && told.contains("in use"), "{told}");
}

#[test]
fn the_configuration_is_printed_without_its_secrets_and_checked_by_name() {
    let env = [
        ("BMT_AUTH__JWT_SECRET", SECRET),
        ("BMT_LIMITS__PUBLISH_PER_SECOND", "0"),
    ];
    let printed = output(&["print-config", "--port", "7"], &env);
    assert!(printed.status.success());
    let printed = text(&printed.stdout);
    assert!(
        printed.contains("jwt_secret = \"(hidden)\"") && !printed.contains(SECRET),
        "{printed}"
    );
    assert!(
        printed.contains("publish_per_second = 0") && printed.contains("port = 7"),
        "{printed}"
    );

    assert!(output(&["check-config"], &env).status.success());
    let refused = output(
        &["check-config"],
        &[("BMT_AUTH__JWT_SECRET", SECRET), ("BMT_LIMITS__CONECTIONS", "1")],
    );
    assert!(!refused.status.success());
    assert!(text(&refused.stderr).contains("limits.connections"));
    let missing = output(&["check-config", "--config", "/no/such/bmt.toml"], &env);
    assert!(!missing.status.success());
    assert!(text(&missing.stderr).contains("/no/such/bmt.toml"));
}

/// FAULTS, "bystanders hold": no token, session id or password is in a log, however much is logged.
#[test]
fn no_secret_of_anybody_is_in_the_log() {
    let dir = TempDir::new().unwrap();
    let log = dir.path().join("log");
    let password = "swordfish-of-these-tests";
    let env = [
        ("BMT_DEV_PASSWORD", password),
        ("BMT_AUTH__JWT_SECRET", SECRET),
        ("BMT_LOG__FILTER", "trace"),
    ];
    let stderr = std::fs::File::create(&log).unwrap();
    let (mut process, lines) = Process::start_with(&dir.path().join("data"), &env, stderr.into());
    assert!(lines.iter().all(|line| !line.contains(password)), "{lines:?}");
    let address = lines
        .last()
        .unwrap()
        .strip_prefix("listening on http://")
        .unwrap()
        .to_owned();
    let ask = |request: String| {
        let mut stream = TcpStream::connect(&address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    let end = "Host: x\r\nConnection: close\r\n";
    let body = format!(r#"{{"username":"alice","password":"{password}"}}"#);
    let login = ask(format!(
        "POST /api/v1/auth/login HTTP/1.1\r\n{end}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    ));
    let after = |text: &str, mark: &str| {
        text.split(mark)
            .nth(1)
            .unwrap()
            .split(['"', ';'])
            .next()
            .unwrap()
            .to_owned()
    };
    let (token, cookie) = (after(&login, "\"accessToken\":\""), after(&login, "bmt_refresh="));
    let refreshed = ask(format!(
        "POST /api/v1/auth/refresh HTTP/1.1\r\n{end}Cookie: bmt_refresh={cookie}\r\nContent-Length: 0\r\n\r\n"
    ));
    assert!(refreshed.starts_with("HTTP/1.1 200"), "{refreshed}");
    let me = ask(format!(
        "GET /api/v1/auth/me HTTP/1.1\r\n{end}Authorization: Bearer {token}\r\n\r\n"
    ));
    assert!(me.starts_with("HTTP/1.1 200"), "{me}");
    ask(format!("GET /api/v1/ws?token={token} HTTP/1.1\r\n{end}\r\n"));
    ask(format!("GET /nothing?token={token} HTTP/1.1\r\n{end}\r\n"));
    process.signal("TERM");
    assert!(process.0.wait().unwrap().success());

    let log = std::fs::read_to_string(log).unwrap();
    assert!(log.contains("/api/v1/auth/login"), "requests are logged: {log}");
    let session = cookie.split('.').next().unwrap();
    let claims = token.split('.').nth(1).unwrap();
    for secret in [password, SECRET, claims, &cookie, session] {
        assert!(!log.contains(secret), "{secret} is in the log");
    }
}

#[test]
fn a_backup_of_a_running_server_is_sound_and_a_server_starts_on_it() {
    let dir = TempDir::new().unwrap();
    let (data, copy) = (dir.path().join("data"), dir.path().join("copy"));
    let (data_dir, copy_dir) = (data.to_str().unwrap(), copy.to_str().unwrap());
    let (_running, _) = Process::start(&data);

    let checked = output(&["check-store", "--data-dir", data_dir], &[]);
    assert!(checked.status.success(), "{}", text(&checked.stderr));
    let made = output(&["backup", copy_dir, "--data-dir", data_dir], &[]);
    assert!(made.status.success(), "{}", text(&made.stderr));
    assert!(
        text(&made.stdout).contains("To restore"),
        "{}",
        text(&made.stdout)
    );

    let again = output(&["backup", copy_dir, "--data-dir", data_dir], &[]);
    assert!(
        text(&again.stderr).contains("is not empty"),
        "{}",
        text(&again.stderr)
    );
    let (_restored, lines) = Process::start(&copy);
    assert!(lines.last().unwrap().starts_with("listening on "), "{lines:?}");
}

#[test]
fn a_damaged_store_is_named_by_check_store() {
    let dir = TempDir::new().unwrap();
    let data_dir = dir.path().to_str().unwrap();
    let told = |expected: &str| {
        let checked = output(&["check-store", "--data-dir", data_dir], &[]);
        assert!(!checked.status.success());
        let told = text(&checked.stderr);
        assert!(told.contains(expected), "{told}");
    };
    told("messages.db is not there");
    drop(Process::start(dir.path()));
    // What was killed is still in the log, and would mend the database.
    std::fs::remove_file(dir.path().join("accounts.db-wal")).unwrap();
    std::fs::write(dir.path().join("accounts.db"), [b'x'; 8_192]).unwrap();
    told("accounts.db");
}

/// systemd's `Type=notify`: a unit counts as started when the server says so, not when its process runs.
#[test]
fn a_supervisor_is_told_when_it_is_ready_and_when_it_stops() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("notify");
    let supervisor = UnixDatagram::bind(&path).unwrap();
    supervisor
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    let hears = |expected: &str| {
        let mut bytes = [0; 128];
        let length = supervisor.recv(&mut bytes).unwrap();
        assert_eq!(text(&bytes[..length]).trim(), expected);
    };
    let env = [("NOTIFY_SOCKET", path.to_str().unwrap())];
    let (process, _) = Process::start_with(&dir.path().join("data"), &env, Stdio::null());
    hears("READY=1");
    process.signal("TERM");
    hears("STOPPING=1");
}

#[test]
fn a_key_made_at_the_command_line_opens_the_running_server_until_it_is_revoked() {
    let dir = TempDir::new().unwrap();
    let (_process, lines) = Process::start(dir.path());
    let address = lines
        .last()
        .unwrap()
        .strip_prefix("listening on http://")
        .unwrap();
    let folder = dir.path().to_str().unwrap();
    let key = |args: &[&str]| output(&[&["key"], args, &["--dev", "--data-dir", folder]].concat(), &[]);
    let made = key(&["create", "--name", "cron", "--scope", "read"]);
    assert!(made.status.success(), "{}", text(&made.stderr));
    let secret = text(&made.stdout).trim().to_owned();
    let status = |path: &str| {
        let mut stream = TcpStream::connect(address).unwrap();
        let head =
            format!("GET {path} HTTP/1.1\r\nHost: x\r\nX-API-Key: {secret}\r\nConnection: close\r\n\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer["HTTP/1.1 ".len()..][..3].to_owned()
    };
    assert_eq!(status("/api/v1/channels"), "200");
    assert_eq!(status("/api/v1/audit"), "403");
    let list = text(&key(&["list"]).stdout);
    assert!(list.contains("read\tcron") && !list.contains(&secret), "{list}");
    let id = list.split('\t').next().unwrap();
    assert!(key(&["revoke", id]).status.success());
    let began = Instant::now();
    while status("/api/v1/channels") != "401" {
        assert!(began.elapsed() < Duration::from_secs(5), "the key still opens");
        std::thread::yield_now();
    }
    let again = key(&["revoke", id]);
    assert!(!again.status.success() && text(&again.stderr).contains("key list"));
    let nowhere = output(&["key", "list", "--dev", "--data-dir", "/nonexistent/x"], &[]);
    assert!(!nowhere.status.success() && text(&nowhere.stderr).contains("data folder"));
}
