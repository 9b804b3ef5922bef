//! One direction of one connection.

use std::collections::VecDeque;
use std::io;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use crate::random::Random;
use crate::weather::{Direction, Weather};

/// Most bytes under way in one direction: beyond it nothing is read, and the sender's own buffers fill.
const UNDER_WAY_BYTES: usize = 256 * 1024;
const READ_BYTES: usize = 16 * 1024;

pub(crate) struct Pipe {
    direction: Direction,
    weather: watch::Receiver<Weather>,
    random: Random,
    /// What was read, and when it arrives.
    under_way: VecDeque<(Instant, Vec<u8>)>,
    bytes: usize,
}

impl Pipe {
    pub(crate) fn new(direction: Direction, weather: watch::Receiver<Weather>, random: Random) -> Self {
        Self {
            direction,
            weather,
            random,
            under_way: VecDeque::new(),
            bytes: 0,
        }
    }

    /// Passes bytes on until the sender ends, which is passed on too.
    pub(crate) async fn run(mut self, from: ReadHalf<'_>, mut to: WriteHalf<'_>) -> io::Result<()> {
        let mut ended = false;
        loop {
            let stopped = self.weather.borrow_and_update().stops(self.direction);
            if ended && self.under_way.is_empty() {
                return to.shutdown().await;
            }
            let due = self.under_way.front().map(|(due, _)| *due);
            let room = !ended && !stopped && self.bytes < UNDER_WAY_BYTES;
            tokio::select! {
                changed = self.weather.changed() => {
                    // The proxy is gone, and this connection with it.
                    changed.map_err(|_| io::ErrorKind::ConnectionAborted)?;
                }
                ready = from.readable(), if room => {
                    ready?;
                    ended = self.read(&from)?;
                }
                () = until(due), if due.is_some() && !stopped => self.pass_on(&mut to).await?,
            }
        }
    }

    /// Takes what is there; answers whether that was the end.
    fn read(&mut self, from: &ReadHalf<'_>) -> io::Result<bool> {
        let mut buffer = vec![0; READ_BYTES];
        match from.try_read(&mut buffer) {
            Ok(0) => Ok(true),
            Ok(length) => {
                buffer.truncate(length);
                self.bytes += length;
                let delay = self.weather.borrow().delay(&mut self.random);
                // What was sent first arrives first: this is TCP.
                let last = self.under_way.back().map(|(due, _)| *due);
                let due = (Instant::now() + delay).max(last.unwrap_or_else(Instant::now));
                self.under_way.push_back((due, buffer));
                Ok(false)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Passes on one piece of what has arrived, at the speed that the weather allows.
    async fn pass_on(&mut self, to: &mut WriteHalf<'_>) -> io::Result<()> {
        let (slice, speed) = {
            let weather = self.weather.borrow();
            (weather.slice, weather.bytes_per_second)
        };
        let Some((due, mut bytes)) = self.under_way.pop_front() else {
            return Ok(());
        };
        // A slow line is slow in small steps, so that a change of weather is felt soon.
        let step = speed.map(|speed| usize::try_from(speed / 20).unwrap_or(usize::MAX));
        let most = slice.into_iter().chain(step).min().unwrap_or(usize::MAX).max(1);
        if bytes.len() > most {
            let rest = bytes.split_off(most);
            self.under_way.push_front((due, rest));
        }
        self.bytes -= bytes.len();
        to.write_all(&bytes).await?;
        if let Some(speed) = speed {
            let micros = bytes.len() as u64 * 1_000_000 / speed.max(1);
            sleep(Duration::from_micros(micros)).await;
        } else if slice.is_some() {
            // Each piece is a segment of its own.
            tokio::task::yield_now().await;
        }
        Ok(())
    }
}

async fn until(due: Option<Instant>) {
    if let Some(due) = due {
        sleep_until(due).await;
    }
}
