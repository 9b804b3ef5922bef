//! Each weather and each end, seen from a client and an echoing server on both sides of the proxy.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bmt_faultproxy::{Direction, Proxy, Random, Weather};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::timeout;

/// How long a test waits for anything before it fails.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long nothing has to come before a test believes that nothing comes.
const SILENCE: Duration = Duration::from_millis(150);

/// What the server saw: the length of each read, and how it ended.
#[derive(Debug, PartialEq, Eq)]
enum Seen {
    Bytes(usize),
    End,
    Broken,
}

/// A server that sends back what it gets.
async fn echo() -> (SocketAddr, mpsc::UnboundedReceiver<Seen>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
    let address = listener.local_addr().expect("a bound socket");
    let (seen, sees) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let seen = seen.clone();
            tokio::spawn(async move {
                let mut buffer = [0; 4096];
                loop {
                    let saw = match stream.read(&mut buffer).await {
                        Ok(0) => Seen::End,
                        Ok(length) => Seen::Bytes(length),
                        Err(_) => Seen::Broken,
                    };
                    let Seen::Bytes(length) = saw else {
                        drop(seen.send(saw));
                        return;
                    };
                    drop(seen.send(saw));
                    if stream.write_all(&buffer[..length]).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    (address, sees)
}

async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    timeout(PATIENCE, future)
        .await
        .unwrap_or_else(|_| panic!("waited {PATIENCE:?} for {what}"))
}

/// Sends bytes and reads them back; answers how long that took.
async fn round_trip(stream: &mut TcpStream, bytes: &[u8]) -> Duration {
    let began = Instant::now();
    let mut back = vec![0; bytes.len()];
    within("the echo", async {
        stream.write_all(bytes).await.expect("an open stream");
        stream.read_exact(&mut back).await.expect("the echo");
    })
    .await;
    assert_eq!(back, bytes);
    began.elapsed()
}

async fn is_silent(stream: &mut TcpStream) -> bool {
    timeout(SILENCE, stream.read_u8()).await.is_err()
}

#[tokio::test]
async fn fair_weather_brings_every_byte_both_ways_and_passes_the_end_on() {
    let (server, mut sees) = echo().await;
    let proxy = Proxy::start(server, 1).await.unwrap();
    let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
    let large: Vec<u8> = (0..300_000_u32).map(|n| n.to_le_bytes()[0]).collect();
    let (mut read, mut write) = stream.split();
    let mut back = vec![0; large.len()];
    let both = async { tokio::join!(write.write_all(&large), read.read_exact(&mut back)) };
    let (sent, received) = within("the echo", both).await;
    sent.unwrap();
    received.unwrap();
    assert_eq!(back, large);
    stream.shutdown().await.unwrap();
    assert_eq!(within("the end", stream.read(&mut [0])).await.unwrap(), 0);
    while within("the server's end", sees.recv()).await.unwrap() != Seen::End {}
    assert_eq!(proxy.accepted(), 1);
}

#[tokio::test]
async fn latency_and_jitter_delay_each_way_within_their_bounds_and_keep_the_order() {
    let (server, _sees) = echo().await;
    let proxy = Proxy::start(server, 2).await.unwrap();
    let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
    round_trip(&mut stream, b"warm").await;
    proxy.set(Weather {
        latency: Duration::from_millis(60),
        jitter: Duration::from_millis(40),
        ..Weather::fair()
    });
    for word in [b"one", b"two", b"six"] {
        let took = round_trip(&mut stream, word).await;
        assert!(took >= Duration::from_millis(40), "{took:?}");
    }
}

#[tokio::test]
async fn the_slicer_hands_over_single_bytes() {
    let (server, mut sees) = echo().await;
    let proxy = Proxy::start(server, 3).await.unwrap();
    proxy.set(Weather {
        slice: Some(1),
        bytes_per_second: Some(2_000),
        ..Weather::fair()
    });
    let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
    round_trip(&mut stream, b"0123456789").await;
    let mut reads = 0;
    while let Ok(Seen::Bytes(_)) = sees.try_recv() {
        reads += 1;
    }
    // The kernel may glue two of them on a busy machine, but not all.
    assert!(reads >= 5, "ten bytes came in {reads} reads");
}

#[tokio::test]
async fn bandwidth_is_kept() {
    let (server, _sees) = echo().await;
    let proxy = Proxy::start(server, 4).await.unwrap();
    proxy.set(Weather {
        bytes_per_second: Some(20_000),
        ..Weather::fair()
    });
    let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
    let took = round_trip(&mut stream, &[7; 4_000]).await;
    assert!(
        took >= Duration::from_millis(140),
        "4 kB each way at 20 kB/s took {took:?}"
    );
}

#[tokio::test]
async fn a_stall_holds_bytes_back_and_loses_none() {
    let (server, _sees) = echo().await;
    let proxy = Proxy::start(server, 5).await.unwrap();
    let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
    round_trip(&mut stream, b"warm").await;
    proxy.set(Weather {
        stalled: true,
        ..Weather::fair()
    });
    stream.write_all(b"late").await.unwrap();
    assert!(is_silent(&mut stream).await);
    proxy.set(Weather::fair());
    let mut back = [0; 4];
    within("the echo", stream.read_exact(&mut back)).await.unwrap();
    assert_eq!(&back, b"late");
}

#[tokio::test]
async fn a_half_open_connection_still_works_in_the_other_direction() {
    let (server, mut sees) = echo().await;
    let proxy = Proxy::start(server, 6).await.unwrap();
    let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
    proxy.set(Weather {
        silent: Some(Direction::ToClient),
        ..Weather::fair()
    });
    stream.write_all(b"heard").await.unwrap();
    assert_eq!(within("the bytes", sees.recv()).await, Some(Seen::Bytes(5)));
    assert!(is_silent(&mut stream).await);
}

#[tokio::test]
async fn a_cut_ends_both_sides_and_a_reset_breaks_them() {
    let (server, mut sees) = echo().await;
    let proxy = Proxy::start(server, 7).await.unwrap();
    for (broken, end) in [(false, Seen::End), (true, Seen::Broken)] {
        let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
        round_trip(&mut stream, b"warm").await;
        assert_eq!(within("the bytes", sees.recv()).await, Some(Seen::Bytes(4)));
        assert_eq!(if broken { proxy.reset() } else { proxy.cut() }, 1);
        let ended = within("the end", stream.read(&mut [0])).await;
        assert_eq!(ended.is_err(), broken, "{ended:?}");
        assert_eq!(within("the server's end", sees.recv()).await, Some(end));
    }
    within("no connection", async {
        while proxy.open() > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn refused_connections_are_reset_until_they_are_welcome_again() {
    let (server, _sees) = echo().await;
    let proxy = Proxy::start(server, 8).await.unwrap();
    proxy.refuse(true);
    let mut refused = TcpStream::connect(proxy.address()).await.unwrap();
    assert!(within("the reset", refused.read(&mut [0])).await.is_err());
    proxy.refuse(false);
    let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
    round_trip(&mut stream, b"back").await;
}

#[test]
fn the_same_seed_gives_the_same_numbers() {
    let numbers = |seed| {
        let mut random = Random::new(seed);
        (0..20).map(|_| random.within(3, 9)).collect::<Vec<_>>()
    };
    assert_eq!(numbers(1), numbers(1));
    assert_ne!(numbers(1), numbers(2));
    assert!(numbers(1).iter().all(|number| (3..=9).contains(number)));
    assert_eq!(Random::new(1).within(5, 4), 5);
}
