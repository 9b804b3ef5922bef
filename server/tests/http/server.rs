//! The one place that knows how a server is started and asked.

use std::sync::Arc;
use std::time::Duration;

use bmt_server::config::{Config, Mode, Secret};
use bmt_server::node::Node;
use bmt_server::serve::{self, Running};
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::timeout;

/// What the tests sign their own tokens with.
pub(crate) const SECRET: &str = "the secret of these tests, long enough";
/// Of the accounts of dev mode.
pub(crate) const PASSWORD: &str = "correct horse";

/// A server in dev mode. It is stopped by [`TestServer::stop`], or ends with the test's runtime.
pub(crate) struct TestServer {
    running: Running,
    data_dir: TempDir,
    client: Client,
}

/// What a login answered with.
pub(crate) struct LoggedIn {
    pub(crate) access_token: String,
    pub(crate) user: Value,
    /// The pair `name=value` of the refresh cookie.
    pub(crate) cookie: String,
}

impl TestServer {
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| ()).await
    }

    pub(crate) async fn start_with(change: impl FnOnce(&mut Config)) -> Self {
        let data_dir = tempfile::tempdir().unwrap();
        let mut config = Config::defaults(Mode::Dev);
        config.auth.jwt_secret = Secret::new(SECRET);
        config.http.port = 0;
        config.store.data_dir = data_dir.path().join("data");
        change(&mut config);
        let running = serve::start(config, Some(Secret::new(PASSWORD))).await.unwrap();
        Self {
            running,
            data_dir,
            client: Client::new(),
        }
    }

    pub(crate) fn address(&self) -> std::net::SocketAddr {
        self.running.address()
    }

    pub(crate) fn node(&self) -> &Arc<Node> {
        self.running.node()
    }

    pub(crate) fn reloading(&self) -> &serve::Reloading {
        self.running.reloading()
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address())
    }

    pub(crate) fn get(&self, path: &str) -> RequestBuilder {
        self.client.get(self.url(path))
    }

    pub(crate) fn delete(&self, path: &str) -> RequestBuilder {
        self.client.delete(self.url(path))
    }

    pub(crate) fn post(&self, path: &str) -> RequestBuilder {
        self.client.post(self.url(path))
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, self.url(path))
    }

    pub(crate) async fn try_login(&self, username: &str, password: &str) -> Response {
        let body = json!({"username": username, "password": password});
        self.post("/api/v1/auth/login").json(&body).send().await.unwrap()
    }

    pub(crate) async fn login(&self, username: &str) -> LoggedIn {
        logged_in(self.try_login(username, PASSWORD).await).await
    }

    pub(crate) async fn refresh(&self, cookie: &str) -> Response {
        let request = self.post("/api/v1/auth/refresh").header("cookie", cookie);
        request.send().await.unwrap()
    }

    pub(crate) async fn me(&self, token: &str) -> Response {
        self.get("/api/v1/auth/me")
            .bearer_auth(token)
            .send()
            .await
            .unwrap()
    }

    /// Stops it as SIGTERM does; fails the test if that takes longer than is promised.
    pub(crate) async fn stop(self) -> TempDir {
        self.running.node().shutdown.begin();
        timeout(Duration::from_secs(10), self.running.finished())
            .await
            .expect("the server ends within ten seconds");
        self.data_dir
    }
}

pub(crate) async fn logged_in(response: Response) -> LoggedIn {
    assert_eq!(response.status(), StatusCode::OK);
    let cookie = response.headers()["set-cookie"].to_str().unwrap();
    let cookie = cookie.split(';').next().unwrap().to_owned();
    let body: Value = response.json().await.unwrap();
    LoggedIn {
        access_token: body["accessToken"].as_str().unwrap().to_owned(),
        user: body["user"].clone(),
        cookie,
    }
}

/// Checks that a response is a refusal of SPEC §4 with this status and code; answers with its text.
pub(crate) async fn refused(response: Response, status: u16, code: &str) -> String {
    assert_eq!(response.status().as_u16(), status);
    let id = response.headers()["x-request-id"].to_str().unwrap().to_owned();
    let body: Value = response.json().await.unwrap();
    assert_eq!(body["type"], "error", "{body}");
    assert_eq!(body["status"], "error", "{body}");
    assert_eq!(body["id"], id.as_str(), "{body}");
    assert_eq!(body["code"], code, "{body}");
    assert_eq!(body["error"], body["message"], "{body}");
    body["message"].as_str().unwrap().to_owned()
}
