//! Row 89: something between answers the handshake in the server's place, or nobody that is to be believed does.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bmt_client_core::Status;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

use super::doors::{self, ATTEMPTS, BACK, TURN};
use crate::client::{Client, Manner};
use crate::outcome::{Stop, failed, hold};
use crate::run::Run;

/// What a proxy answers in the server's place, and what the client is to say of it.
const ANSWERS: &[(&str, &str, &str)] = &[
    (
        "502 with a page",
        "HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/html\r\nContent-Length: 13\r\n\r\n<p>Sorry.</p>",
        "502",
    ),
    (
        "200 with a page",
        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 12\r\n\r\n<p>Login</p>",
        "200",
    ),
    (
        "a redirect",
        "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:9/\r\nContent-Length: 0\r\n\r\n",
        "302",
    ),
    ("nothing", "", ""),
];
/// What stands between: it answers by itself, or lets everything through.
struct Between {
    address: SocketAddr,
    answer: Arc<Mutex<Option<&'static str>>>,
    asked: Arc<AtomicUsize>,
}

impl Between {
    async fn start(server: SocketAddr) -> Result<Self, Stop> {
        let listener = TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.map_err(|error| failed(error.to_string()))?;
        let address = listener.local_addr().map_err(|error| failed(error.to_string()))?;
        let answer = Arc::new(Mutex::new(None));
        let asked = Arc::new(AtomicUsize::new(0));
        let (told, counted) = (answer.clone(), asked.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::Relaxed);
                let answer = *told.lock().expect("nobody panics while it is held");
                tokio::spawn(serve(stream, answer, server));
            }
        });
        Ok(Self {
            address,
            answer,
            asked,
        })
    }

    fn set(&self, answer: Option<&'static str>) {
        *self.answer.lock().expect("nobody panics while it is held") = answer;
        self.asked.store(0, Ordering::Relaxed);
    }
}

async fn serve(mut stream: TcpStream, answer: Option<&'static str>, server: SocketAddr) {
    // Either side may be gone: that is what happens to proxies.
    match answer {
        Some(answer) => {
            let mut request = [0; 4_096];
            let _ = stream.read(&mut request).await;
            let _ = stream.write_all(answer.as_bytes()).await;
            let _ = stream.shutdown().await;
        }
        None => {
            if let Ok(mut onward) = TcpStream::connect(server).await {
                let _ = copy_bidirectional(&mut stream, &mut onward).await;
            }
        }
    }
}

/// Row 89.
pub(crate) async fn answers(mut run: Run) -> Result<String, Stop> {
    let (server, folder) = run.server(&[])?;
    let between = Between::start(server.address()).await?;
    let mut told = Vec::new();
    for (number, (what, answer, reason)) in ANSWERS.iter().enumerate() {
        between.set(Some(answer));
        let manner = Manner::of(format!("c{number}"), between.address, run.seed);
        let client = Client::start(manner, &folder)?;
        client.subscribe("public:proxy");
        client.publish("public:proxy");
        tokio::time::sleep(TURN).await;
        let (seen, asked) = (client.seen(), between.asked.load(Ordering::Relaxed));
        hold(ATTEMPTS.contains(&asked), || {
            format!("{what}: {asked} attempts in {TURN:?}")
        })?;
        let failure = seen.last_failure.clone().unwrap_or_default();
        hold(!failure.is_empty() && failure.contains(reason), || {
            format!("{what}: the client says {failure:?}")
        })?;
        hold(
            seen.status != Some(Status::Connected) && seen.refused == 0,
            || format!("{what}: the client believes {seen:?}"),
        )?;
        between.set(None);
        client
            .until("its message is acked", BACK, |seen| {
                seen.status == Some(Status::Connected) && seen.acked == 1 && seen.delivered == 1
            })
            .await?;
        client.finish().await?;
        told.push(format!("{what}: {asked} attempts"));
    }
    told.push(doors::certificate(&mut run).await?);
    told.push(doors::name(&mut run).await?);
    Ok(format!("{} in {TURN:?} each, then back", told.join(", ")))
}
