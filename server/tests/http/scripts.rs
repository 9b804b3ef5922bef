//! FAULTS 63, the server's part: what people write is kept as it is and handed out as data, wherever it is shown.

use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};

use crate::members::person;
use crate::server::TestServer;

const SCRIPTS: [&str; 8] = [
    "<img src=x onerror=alert(1)>",
    "[a](javascript:alert(1))",
    "<a href=\"data:text/html,<script>alert(1)</script>\">a</a>",
    "<svg><style><img src=x onerror=alert(1)></style></svg>",
    "<math><mtext><table><mglyph><style><!--</style><img title=\"--&gt;&lt;img src=1 onerror=alert(1)&gt;\">",
    "<a href=//evil.example>a</a>",
    "**[**[x](javascript:1)**](data:1)**</script><script>alert(1)</script>",
    "\u{202e}gpj.exe\u{2066}",
];

/// The body of an answer that no browser would run.
async fn data(response: Response) -> Value {
    let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
    assert_eq!(header("content-type"), "application/json");
    assert_eq!(header("x-content-type-options"), "nosniff");
    assert!(header("content-security-policy").contains("default-src 'none'"));
    response.json().await.unwrap()
}

#[tokio::test]
async fn scripts_in_messages_and_notifications_come_back_as_the_text_they_are() {
    let server = TestServer::start().await;
    let root = person("root", &json!({"role": "admin"}));
    let emoji = "😀".repeat(2_500);
    for text in SCRIPTS.into_iter().chain([emoji.as_str()]) {
        for (path, body) in [
            (
                "publish",
                json!({"topic": "public:x", "payload": {"type": "text", "text": text}}),
            ),
            (
                "notify",
                json!({"topic": "public:x", "level": "info", "title": text, "message": text}),
            ),
        ] {
            let sent = server
                .post(&format!("/api/v1/{path}"))
                .bearer_auth(&root)
                .json(&body);
            let sent = sent.send().await.unwrap();
            assert_eq!(sent.status(), StatusCode::OK, "{text}");
            data(sent).await;
        }
        let newest = server
            .get("/api/v1/channels/public:x/history?limit=2")
            .bearer_auth(&root);
        let page = data(newest.send().await.unwrap()).await;
        assert_eq!(page["messages"][0]["payload"]["text"], text);
        assert_eq!(page["messages"][1]["payload"]["title"], text);
        assert_eq!(page["messages"][1]["payload"]["message"], text);
    }
    server.stop().await;
}

#[tokio::test]
async fn scripts_in_names_and_addresses_are_data_too_or_refused() {
    let server = TestServer::start().await;
    let root = person("root", &json!({"role": "admin"}));
    for (at, text) in SCRIPTS.into_iter().enumerate() {
        let named = person("eve", &json!({"name": text}));
        let me = data(server.me(&named).await).await;
        assert_eq!(me["user"]["name"], text);
        let body = json!({"username": format!("user{at}"), "name": text});
        let made = server.post("/api/v1/users").bearer_auth(&root).json(&body);
        let made = made.send().await.unwrap();
        assert_eq!(made.status(), StatusCode::CREATED, "{text}");
        assert_eq!(data(made).await["name"], text);
        // No channel, no key and no user is called so; what was typed stands in the refusal, as a text.
        let topic = json!({"topic": text, "payload": 1});
        let refused = server.post("/api/v1/publish").bearer_auth(&root).json(&topic);
        let refused = refused.send().await.unwrap();
        assert_eq!(refused.status(), StatusCode::BAD_REQUEST);
        data(refused).await;
        let mut address = reqwest::Url::parse(&server.url("/api/v1/")).unwrap();
        address.path_segments_mut().unwrap().pop().push(text);
        let nowhere = server.request(Method::GET, address.path()).send().await.unwrap();
        assert_eq!(nowhere.status(), StatusCode::NOT_FOUND, "{text}");
        data(nowhere).await;
    }
    server.stop().await;
}
