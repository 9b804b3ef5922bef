//! The short way out of an outbox: who pushed writes to the socket in place of the connection's task.
//!
//! To wake a task for a few bytes costs about as much as to write them. Where a push has few receivers the pusher
//! therefore writes what they are owed, and their tasks sleep on.

use std::sync::Arc;
use std::task::Waker;

/// What writes an outbox without its connection's task.
pub trait Line: Send + Sync {
    /// Writes what waits, as far as the socket takes it at once. True where nothing is left and `task` is woken by
    /// the next push; false where the task has to go on from here.
    fn write(&self, task: &Waker) -> bool;
}

/// A writer that slept when something was pushed.
#[must_use = "the writer sleeps until it is set going"]
pub struct Asleep {
    /// Its task.
    pub task: Waker,
    /// Its short way out, where it has one.
    pub line: Option<Arc<dyn Line>>,
}

impl Asleep {
    /// Writes in place of the task, or wakes it where that is not possible.
    pub fn write(self) {
        match &self.line {
            Some(line) if line.write(&self.task) => {}
            _ => self.task.wake(),
        }
    }

    /// Wakes the task.
    pub fn wake(self) {
        self.task.wake();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outbox::{Bounds, Encoded, Next, Outbox, Outgoing};
    use bmt_shared::event::{Closing, HeartbeatAck, ServerEvent};
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Context, Wake};

    /// Counts how often a task was woken.
    #[derive(Default)]
    struct Wakes(AtomicUsize);

    impl Wake for Wakes {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Notes the times of the events that it writes.
    struct Notes {
        outbox: Outbox,
        times: Mutex<Vec<u64>>,
    }

    impl Line for Notes {
        fn write(&self, task: &Waker) -> bool {
            while let Next::Send(Outgoing::Event(event)) = self.outbox.next_but_close() {
                if let ServerEvent::HeartbeatAck(ack) = event.event() {
                    self.times.lock().unwrap().push(ack.timestamp);
                }
            }
            let mut cx = Context::from_waker(task);
            self.outbox.poll_ready(&mut cx).is_pending()
        }
    }

    fn event(timestamp: u64) -> Outgoing {
        let ack = HeartbeatAck { timestamp };
        Outgoing::Event(Arc::new(Encoded::new(ServerEvent::HeartbeatAck(ack))))
    }

    fn asleep(outbox: &Outbox, outgoing: Outgoing) -> Asleep {
        let task = outbox.push_quietly(outgoing).expect("the writer is asleep");
        Asleep {
            task,
            line: outbox.line(),
        }
    }

    #[test]
    fn a_task_sleeps_on_while_its_line_writes_and_is_woken_for_the_close() {
        let outbox = Outbox::new(Bounds { bytes: 0, entries: 0 });
        let wakes = Arc::new(Wakes::default());
        let task = Waker::from(wakes.clone());
        let woken = || wakes.0.load(Ordering::Relaxed);
        assert!(outbox.poll_ready(&mut Context::from_waker(&task)).is_pending());
        asleep(&outbox, event(1)).write();
        assert_eq!(woken(), 1, "it has no line");
        assert!(matches!(outbox.next(), Next::Send(_)));
        assert!(outbox.poll_ready(&mut Context::from_waker(&task)).is_pending());
        let notes = Arc::new(Notes {
            outbox: outbox.clone(),
            times: Mutex::default(),
        });
        outbox.attach(notes.clone());
        for time in 2..5 {
            asleep(&outbox, event(time)).write();
        }
        assert_eq!(
            (woken(), notes.times.lock().unwrap().as_slice()),
            (1, &[2, 3, 4][..])
        );
        let closing = Closing {
            code: 1012,
            reason: "restart".into(),
            retry_after_ms: None,
        };
        asleep(&outbox, Outgoing::Close(closing)).write();
        assert_eq!(woken(), 2, "a close is the task's to say");
        assert!(matches!(outbox.next(), Next::Send(Outgoing::Close(_))));
    }
}
