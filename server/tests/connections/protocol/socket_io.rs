//! Socket.IO 5, the behaviours of its official suite. Where the suite's server echoes, ours is asked for what shows the
//! same: a published message comes back to its own subscriber, a request calls its callback.

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use super::{often_pinged, patient};
use crate::support::{Client, TestServer, token};

/// A published payload of two binary parts, as its sender and as its receivers write it.
const TWO_PARTS: &str = r#"[{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#;

async fn send_parts(client: &mut Client) {
    for part in [vec![1, 2, 3], vec![4, 5, 6]] {
        client.socket.try_send(Message::binary(part)).await.unwrap();
    }
}

/// The next two messages, which are [`send_parts`]'s.
async fn receive_parts(client: &mut Client) {
    for part in [vec![1, 2, 3], vec![4, 5, 6]] {
        assert_eq!(client.socket.receive().await.unwrap(), Message::binary(part));
    }
}

/// Sends CONNECT and reads its answer, which holds a `sid` and nothing else.
async fn connected(client: &mut Client, connect: &str) -> Value {
    client.socket.send(connect).await;
    let answer = client.packet().await;
    let answer: Value = serde_json::from_str(answer.strip_prefix("40").unwrap()).unwrap();
    assert!(answer["sid"].is_string());
    assert_eq!(answer.as_object().unwrap().len(), 1);
    client.event("connected").await
}

/// The client still has its callbacks called.
async fn works(client: &mut Client) {
    let answer = client.request("heartbeat", &json!({"timestamp": 1})).await;
    assert_eq!(answer["status"], "success");
}

#[tokio::test]
async fn the_main_namespace_lets_in_without_a_payload() {
    let server = TestServer::start().await;
    let mut client = Client::open(&server).await;
    let hello = connected(&mut client, "40").await;
    assert_eq!(hello["user"]["role"], "guest");
}

#[tokio::test]
async fn the_main_namespace_takes_the_payload_of_a_connect() {
    let server = TestServer::start().await;
    let mut client = Client::open(&server).await;
    let connect = format!("40{}", json!({"token": token("somebody"), "more": [1, "2"]}));
    let hello = connected(&mut client, &connect).await;
    assert_eq!(hello["user"]["userId"], "somebody");
}

/// A deviation of ours: there is no namespace but the main one.
#[tokio::test]
async fn a_custom_namespace_is_refused_and_the_session_stays() {
    let server = TestServer::start().await;
    let mut client = Client::open(&server).await;
    client.socket.send("40/custom,").await;
    assert_eq!(
        client.packet().await,
        r#"44/custom,{"message":"Invalid namespace"}"#
    );
    connected(&mut client, "40").await;
}

#[tokio::test]
async fn a_custom_namespace_is_refused_whatever_the_payload() {
    let server = TestServer::start().await;
    let mut client = Client::connect(&server, "u").await;
    client
        .socket
        .send(format!("40/custom,{}", json!({"token": token("u")})))
        .await;
    assert_eq!(
        client.packet().await,
        r#"44/custom,{"message":"Invalid namespace"}"#
    );
    works(&mut client).await;
}

#[tokio::test]
async fn an_unknown_namespace_is_refused_without_a_comma_too() {
    let server = TestServer::start().await;
    let mut client = Client::open(&server).await;
    client.socket.send("40/random").await;
    assert_eq!(
        client.packet().await,
        r#"44/random,{"message":"Invalid namespace"}"#
    );
}

#[tokio::test]
async fn what_is_no_packet_before_a_connect_closes_the_connection() {
    let server = TestServer::with(patient).await;
    for packet in ["4abc", "4", "49", "451", "45x-[]"] {
        let mut client = Client::open(&server).await;
        client.socket.send(packet).await;
        client.rest().await;
    }
}

#[tokio::test]
async fn an_event_before_a_connect_closes_the_connection() {
    let server = TestServer::with(patient).await;
    let mut client = Client::open(&server).await;
    client.socket.send(r#"421["heartbeat",{}]"#).await;
    let rest = client.rest().await;
    assert!(rest.iter().all(|packet| !packet.starts_with('4')), "{rest:?}");
}

#[tokio::test]
async fn a_disconnect_leaves_the_namespace_and_not_the_session() {
    let server = TestServer::with(often_pinged).await;
    let mut client = Client::connect(&server, "u").await;
    client.socket.send("41").await;
    for _ in 0..3 {
        assert_eq!(client.socket.text().await, "2");
        client.socket.send("3").await;
    }
    assert_eq!(server.count().0, 0, "the connection is over");
    connected(&mut client, "40").await;
    works(&mut client).await;
}

#[tokio::test]
async fn a_disconnect_from_another_namespace_does_not_touch_the_main_one() {
    let server = TestServer::start().await;
    let mut client = Client::connect(&server, "u").await;
    client.socket.send("40/custom").await;
    assert!(client.packet().await.starts_with("44/custom,"));
    client.socket.send("41/custom").await;
    works(&mut client).await;
}

#[tokio::test]
async fn a_text_payload_comes_back_as_it_was() {
    let server = TestServer::start().await;
    let mut client = Client::connect(&server, "u").await;
    client.request("subscribe", &json!({"topic": "public:a"})).await;
    let payload = r#"[1,"2",{"3":[true],"é":"你好 \ud83d\ude00"}]"#;
    let publish = format!(r#"42["publish",{{"topic":"public:a","payload":{payload},"ackRequired":false}}]"#);
    client.socket.send(publish).await;
    let message = client.event("message").await;
    let sent: Value = serde_json::from_str(payload).unwrap();
    assert_eq!(message["payload"], sent);
}

#[tokio::test]
async fn a_payload_of_two_binary_parts_comes_back_in_their_order() {
    let server = TestServer::start().await;
    let mut client = Client::connect(&server, "u").await;
    client.request("subscribe", &json!({"topic": "public:a"})).await;
    let publish =
        format!(r#"452-["publish",{{"topic":"public:a","payload":{TWO_PARTS},"ackRequired":false}}]"#);
    client.socket.send(publish).await;
    send_parts(&mut client).await;
    let event = client.packet().await;
    let message: Value = serde_json::from_str(event.strip_prefix("452-").unwrap()).unwrap();
    assert_eq!(message[0], "message");
    let parts: Value = serde_json::from_str(TWO_PARTS).unwrap();
    assert_eq!(message[1]["payload"], parts);
    receive_parts(&mut client).await;
}

#[tokio::test]
async fn a_callback_is_called_under_its_number() {
    let server = TestServer::start().await;
    let mut client = Client::connect(&server, "u").await;
    for call in ["0", "456", "2147483648"] {
        client
            .socket
            .send(format!(r#"42{call}["subscribe",{{"topic":"public:a"}}]"#))
            .await;
        let answer = client.packet().await;
        let prefix = format!("43{call}[");
        assert!(answer.starts_with(&prefix), "{answer}");
        let args: Value = serde_json::from_str(&answer[2 + call.len()..]).unwrap();
        assert_eq!(args.as_array().unwrap().len(), 1);
        assert_eq!(args[0]["status"], "success");
    }
}

#[tokio::test]
async fn a_callback_is_called_with_binary_parts() {
    let server = TestServer::start().await;
    let mut client = Client::connect(&server, "u").await;
    let publish = format!(r#"452-788["publish",{{"topic":"public:a","payload":{TWO_PARTS}}}]"#);
    client.socket.send(publish).await;
    send_parts(&mut client).await;
    assert_eq!(client.ack(788).await["seq"], 1);
    client
        .socket
        .send(r#"42789["history",{"topic":"public:a"}]"#)
        .await;
    let answer = client.packet().await;
    let page: Value = serde_json::from_str(answer.strip_prefix("462-789").unwrap()).unwrap();
    let parts: Value = serde_json::from_str(TWO_PARTS).unwrap();
    assert_eq!(page[0]["messages"][0]["payload"], parts);
    receive_parts(&mut client).await;
}

#[tokio::test]
async fn an_unknown_packet_type_closes_the_connection() {
    closes("4abc").await;
}

#[tokio::test]
async fn an_event_whose_payload_is_no_list_closes_the_connection() {
    closes("42{}").await;
}

#[tokio::test]
async fn an_event_under_a_callback_that_is_no_number_closes_the_connection() {
    closes(r#"42abc["heartbeat",{}]"#).await;
}

/// A connected client that sends this is closed without an answer.
async fn closes(packet: &str) {
    let server = TestServer::with(patient).await;
    let mut client = Client::connect(&server, "u").await;
    client.socket.send(packet).await;
    let rest = client.rest().await;
    assert!(
        rest.iter()
            .all(|answer| !answer.starts_with('4') || answer.starts_with("42[\"closing\"")),
        "{rest:?}"
    );
    server.emptied().await;
}
