//! What the operating system says of this process: Linux's `/proc`. Elsewhere it says nothing, which is 0.

use std::fs;
use std::time::Duration;

/// This process at one moment.
#[derive(Clone, Copy, Debug, Default)]
pub struct OwnProcess {
    /// Memory that it holds.
    pub memory_bytes: u64,
    /// Time that it has spent on processors, all threads together.
    pub cpu: Duration,
    /// Files and sockets that it has open.
    pub open_files: u64,
}

/// Asks.
#[must_use]
pub fn own_process() -> OwnProcess {
    OwnProcess {
        memory_bytes: memory_bytes().unwrap_or(0),
        cpu: cpu().unwrap_or_default(),
        open_files: fs::read_dir("/proc/self/fd").map_or(0, |files| files.count() as u64),
    }
}

/// The second number is the resident pages (proc(5)).
fn memory_bytes() -> Option<u64> {
    let pages = fs::read_to_string("/proc/self/statm").ok()?;
    let resident: u64 = pages.split_whitespace().nth(1)?.parse().ok()?;
    Some(resident * rustix::param::page_size() as u64)
}

/// The 14th and the 15th field: ticks in the process's own code and in the system's. The second field is the
/// program's name in brackets, which may hold spaces.
fn cpu() -> Option<Duration> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<u64>().ok();
    let ticks = ticks()? + ticks()?;
    let per_second = rustix::param::clock_ticks_per_second();
    Some(Duration::from_millis(ticks * 1_000 / per_second.max(1)))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn this_process_holds_memory_and_files_and_spends_time() {
        let before = own_process();
        assert!(
            before.memory_bytes > 1_000_000 && before.open_files >= 3,
            "{before:?}"
        );
        let began = std::time::Instant::now();
        while own_process().cpu == before.cpu {
            assert!(began.elapsed() < Duration::from_secs(20), "time is not counted");
            std::hint::black_box((0..10_000).sum::<u64>());
        }
    }
}
