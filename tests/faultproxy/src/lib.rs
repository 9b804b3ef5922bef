//! A TCP proxy between a client and a server, with a bad network inside.
//!
//! [`Proxy::start`] listens on a free port of the loopback address and passes connections on to one server. The
//! [`Weather`] says what happens to bytes from now on, in open connections too; [`Proxy::cut`] and its kin happen
//! once. Chance comes from a seed, so that a run can be told by its number; only the scheduler is left to luck.
//!
//! A direction that is silent (half-open) or stalled takes no bytes from its sender, so the sender's buffers fill as
//! they do behind a network that died: no bytes are thrown away that TCP would have brought after the fault.
//!
//! ```no_run
//! # async fn example(server: std::net::SocketAddr) -> std::io::Result<()> {
//! use std::time::Duration;
//! use bmt_faultproxy::{Proxy, Weather};
//!
//! let proxy = Proxy::start(server, 7).await?;
//! proxy.set(Weather { latency: Duration::from_millis(500), jitter: Duration::from_millis(400), ..Weather::fair() });
//! println!("connect to {}", proxy.address());
//! proxy.reset();
//! # Ok(())
//! # }
//! ```

mod pipe;
mod random;
mod weather;

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

use pipe::Pipe;
pub use random::Random;
pub use weather::{Direction, Weather};

/// How a connection is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// In good order, both sides: FIN.
    Cut,
    /// RST, both sides.
    Reset,
}

/// A proxy. Its connections and its port go with it.
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    listening: JoinHandle<()>,
}

struct Shared {
    server: SocketAddr,
    weather: watch::Sender<Weather>,
    /// One end for each open connection.
    ends: Mutex<HashMap<u64, oneshot::Sender<End>>>,
    accepted: AtomicUsize,
    refusing: AtomicBool,
}

impl Shared {
    fn ends(&self) -> MutexGuard<'_, HashMap<u64, oneshot::Sender<End>>> {
        // Nothing is done under the lock that could leave the map half changed.
        self.ends.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Proxy {
    /// Listens on a free port; each connection is passed on to `server`.
    ///
    /// # Errors
    /// Where no port can be had.
    pub async fn start(server: SocketAddr, seed: u64) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            server,
            weather: watch::Sender::new(Weather::fair()),
            ends: Mutex::default(),
            accepted: AtomicUsize::new(0),
            refusing: AtomicBool::new(false),
        });
        let listening = tokio::spawn(listen(listener, Arc::clone(&shared), Random::new(seed)));
        Ok(Self {
            address,
            shared,
            listening,
        })
    }

    /// Where clients connect to.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What happens to bytes from now on, in open connections and new ones.
    pub fn set(&self, weather: Weather) {
        self.shared.weather.send_replace(weather);
    }

    /// Whether new connections are reset as soon as they come.
    pub fn refuse(&self, refusing: bool) {
        self.shared.refusing.store(refusing, Ordering::Relaxed);
    }

    /// Ends every open connection in good order; answers how many.
    pub fn cut(&self) -> usize {
        self.end(End::Cut)
    }

    /// Resets every open connection, on both sides; answers how many.
    pub fn reset(&self) -> usize {
        self.end(End::Reset)
    }

    /// Connections that are open now.
    #[must_use]
    pub fn open(&self) -> usize {
        self.shared.ends().len()
    }

    /// Connections that were ever accepted.
    #[must_use]
    pub fn accepted(&self) -> usize {
        self.shared.accepted.load(Ordering::Relaxed)
    }

    fn end(&self, end: End) -> usize {
        let ends: Vec<_> = self.shared.ends().drain().map(|(_, ending)| ending).collect();
        // One that has just ended by itself no longer listens.
        ends.into_iter()
            .filter_map(|ending| ending.send(end).ok())
            .count()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.listening.abort();
        self.cut();
    }
}

async fn listen(listener: TcpListener, shared: Arc<Shared>, mut random: Random) {
    for number in 0.. {
        let Ok((client, _)) = listener.accept().await else {
            // Out of descriptors: some connection has to go first.
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        shared.accepted.fetch_add(1, Ordering::Relaxed);
        let seed = random.bits();
        if shared.refusing.load(Ordering::Relaxed) {
            reset(&client);
            continue;
        }
        let (ending, ended) = oneshot::channel();
        shared.ends().insert(number, ending);
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            pass(client, &shared, ended, seed).await;
            shared.ends().remove(&number);
        });
    }
}

/// Passes one connection on, until a side ends it or a fault does.
async fn pass(mut client: TcpStream, shared: &Shared, ended: oneshot::Receiver<End>, seed: u64) {
    let Ok(mut server) = TcpStream::connect(shared.server).await else {
        reset(&client);
        return;
    };
    for stream in [&client, &server] {
        // Without it the kernel would glue the slicer's bytes together again. It fails only on a dead socket.
        let _ = stream.set_nodelay(true);
    }
    let pipe = |direction, way| Pipe::new(direction, shared.weather.subscribe(), Random::new(seed ^ way));
    let end = {
        let (from_client, to_client) = client.split();
        let (from_server, to_server) = server.split();
        let up = pipe(Direction::ToServer, 0).run(from_client, to_server);
        let down = pipe(Direction::ToClient, 1).run(from_server, to_client);
        let both = async { tokio::try_join!(up, down) };
        tokio::select! {
            // What one side broke is broken for the other too.
            passed = both => passed.map_or(End::Reset, |_| End::Cut),
            ended = ended => ended.unwrap_or(End::Cut),
        }
    };
    if end == End::Reset {
        reset(&client);
        reset(&server);
    }
}

/// The kernel sends RST instead of FIN when the stream is dropped.
fn reset(stream: &TcpStream) {
    // Fails only where the connection is gone already.
    let _ = stream.set_zero_linger();
}
