//! A handshake's end, and a stream that needs no flush.

use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use futures_util::poll;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::coop::unconstrained;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::*;

const LIMIT: Duration = Duration::from_secs(20);

struct Pair {
    near: Secured,
    far: TlsStream<TcpStream>,
}

async fn pair(stall_limit: Duration) -> Pair {
    let dir = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let config = HttpConfig {
        tls_cert: dir.path().join("cert.pem"),
        tls_key: dir.path().join("key.pem"),
        ..HttpConfig::default()
    };
    std::fs::write(&config.tls_cert, made.cert.pem()).unwrap();
    std::fs::write(&config.tls_key, made.signing_key.serialize_pem()).unwrap();
    let tls = Tls::new(Certificate::read(&config).unwrap().unwrap());

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let peer = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (stream, _) = listener.accept().await.unwrap();
    let place = Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap();
    let accepted = Accepted::new(stream, place, stall_limit);

    let mut roots = rustls::RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let client = rustls::ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = TlsConnector::from(Arc::new(client));
    let name = "localhost".try_into().unwrap();
    let (near, far) = tokio::join!(tls.greet(accepted, LIMIT), connector.connect(name, peer));
    let Greeted::Secured(near) = near.unwrap() else {
        panic!("the handshake is not done")
    };
    Pair {
        near: *near,
        far: far.unwrap(),
    }
}

#[tokio::test]
async fn a_peer_that_reads_nothing_ends_the_connection_over_tls_too() {
    let Pair { mut near, far: _far } = pair(Duration::from_millis(100)).await;
    let mebibyte = vec![0; 1 << 20];
    let writing = async {
        loop {
            if let Err(error) = near.write_all(&mebibyte).await {
                return error;
            }
        }
    };
    let error = timeout(LIMIT, writing).await.expect("it is noticed");
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    let read = timeout(LIMIT, near.read(&mut [0])).await;
    assert!(
        matches!(read.expect("reading has ended too"), Ok(0) | Err(_)),
        "nothing is read"
    );
}

/// Whoever writes below the WebSocket does not flush: what was taken goes out while the stream is read.
#[tokio::test]
async fn what_was_taken_is_sent_without_a_flush_by_who_waits_to_read() {
    let Pair { mut near, mut far } = pair(LIMIT).await;
    let total = 8 << 20;
    let server = tokio::spawn(async move {
        let bytes = vec![7; total];
        let mut sent = 0;
        while sent < total {
            sent += near.write(&bytes[sent..]).await.unwrap();
        }
        near.read(&mut [0]).await.unwrap()
    });
    let reading = async {
        let mut received = 0;
        let mut buffer = vec![0; 64 * 1_024];
        while received < total {
            received += far.read(&mut buffer).await.unwrap();
            tokio::task::yield_now().await;
        }
        far.write_all(&[1]).await.unwrap();
        far.flush().await.unwrap();
    };
    timeout(LIMIT, reading).await.expect("all of it arrives");
    assert_eq!(timeout(LIMIT, server).await.unwrap().unwrap(), 1);
}

#[tokio::test]
async fn a_writer_that_waits_is_woken_by_a_reader_that_sends_what_was_kept() {
    let Pair { near, mut far } = pair(LIMIT).await;
    let (mut reader, mut writer) = tokio::io::split(near);
    let reading = tokio::spawn(async move { reader.read(&mut [0]).await });
    let total = 8 << 20;
    let writing = tokio::spawn(async move {
        writer.write_all(&vec![7; total]).await.unwrap();
        writer.flush().await.unwrap();
    });
    let mut received = 0;
    let mut buffer = vec![0; 64 * 1_024];
    while received < total {
        received += timeout(LIMIT, far.read(&mut buffer))
            .await
            .expect("it goes on")
            .unwrap();
    }
    timeout(LIMIT, writing).await.unwrap().unwrap();
    drop(far);
    timeout(LIMIT, reading).await.unwrap().unwrap().ok();
}

/// The socket wakes who wrote last, and that task may have nothing more to do with the stream.
#[tokio::test]
async fn what_a_writer_left_without_a_flush_is_sent_by_another_task_that_waits_to_read() {
    let Pair { near, mut far } = pair(LIMIT).await;
    let (mut reader, mut writer) = tokio::io::split(near);
    let reading = tokio::spawn(async move { reader.read(&mut [0]).await });
    tokio::task::yield_now().await;
    // Nobody fetches anything: it ends with something kept, which is when no more is taken.
    let bytes = vec![7; 64 * 1_024];
    let mut total = 0;
    while let Poll::Ready(written) = poll!(pin!(unconstrained(writer.write(&bytes)))) {
        total += written.unwrap();
    }
    let mut received = 0;
    let mut buffer = vec![0; 64 * 1_024];
    while received < total {
        received += timeout(LIMIT, far.read(&mut buffer))
            .await
            .expect("all of it arrives")
            .unwrap();
    }
    drop(far);
    timeout(LIMIT, reading).await.unwrap().unwrap().ok();
}
