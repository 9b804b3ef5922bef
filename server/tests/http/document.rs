//! The description of the API, and the page that shows it.

use serde_json::{Value, json};

use crate::server::TestServer;

#[tokio::test]
async fn the_api_describes_itself_on_a_page_that_needs_no_other_origin() {
    let server = TestServer::start().await;
    let document = server.get("/api/v1/openapi.json").send().await.unwrap();
    let document: Value = document.json().await.unwrap();
    assert_eq!(document["openapi"], "3.1.0");
    let publish = &document["paths"]["/api/v1/publish"]["post"];
    assert_eq!(publish["security"], json!([{"token": []}, {"apiKey": []}]));
    assert_eq!(publish["x-scope"], "publish");
    let notification = &document["components"]["schemas"]["Notification"];
    assert!(notification["properties"]["level"].is_object(), "{notification}");
    for (path, kind) in [
        ("docs", "text/html"),
        ("docs.js", "text/javascript"),
        ("docs.css", "text/css"),
    ] {
        let response = server.get(&format!("/api/v1/{path}")).send().await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
        let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
        assert!(header("content-type").starts_with(kind), "{path}");
        let policy = header("content-security-policy");
        assert!(
            policy.contains("default-src 'none'") && !policy.contains("unsafe"),
            "{policy}"
        );
    }
    server.stop().await;
}
