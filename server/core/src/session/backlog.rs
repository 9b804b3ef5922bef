//! Requests that were taken and are not answered yet: the bound of what one connection may have in flight.

/// Counts unanswered requests. Once the bound is reached nothing is taken until all of them are answered: letting
/// single requests slip in between would store a later publish before a refused earlier one.
#[derive(Clone, Debug)]
pub struct Backlog {
    most_requests: usize,
    most_bytes: usize,
    requests: usize,
    bytes: usize,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Taking,
    Draining,
}

impl Backlog {
    /// An empty backlog. A bound of 0 is no bound.
    #[must_use]
    pub fn new(most_requests: usize, most_bytes: usize) -> Self {
        Self {
            most_requests,
            most_bytes,
            requests: 0,
            bytes: 0,
            state: State::Taking,
        }
    }

    /// Takes a request of so many bytes; `false` where it must be refused. A single request always fits.
    pub fn take(&mut self, bytes: usize) -> bool {
        if self.requests > 0 {
            let over_requests = self.most_requests > 0 && self.requests >= self.most_requests;
            let over_bytes = self.most_bytes > 0 && self.bytes + bytes > self.most_bytes;
            if over_requests || over_bytes {
                self.state = State::Draining;
            }
            if self.state == State::Draining {
                return false;
            }
        }
        self.requests += 1;
        self.bytes += bytes;
        true
    }

    /// A request that was taken with so many bytes is answered.
    pub fn finish(&mut self, bytes: usize) {
        self.requests = self.requests.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(bytes);
        if self.requests == 0 {
            self.state = State::Taking;
        }
    }

    /// Holds to other bounds from the next request on.
    pub fn change_bounds(&mut self, most_requests: usize, most_bytes: usize) {
        (self.most_requests, self.most_bytes) = (most_requests, most_bytes);
    }

    /// Requests that wait for their answer.
    #[must_use]
    pub fn requests(&self) -> usize {
        self.requests
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_the_bound_nothing_is_taken_until_all_is_answered() {
        let mut backlog = Backlog::new(2, 0);
        assert!(backlog.take(1) && backlog.take(1));
        assert!(!backlog.take(1));
        backlog.finish(1);
        assert!(!backlog.take(1), "one is still unanswered");
        backlog.finish(1);
        assert!(backlog.take(1));
    }

    #[test]
    fn bytes_are_bounded_too_but_one_request_always_fits() {
        let mut backlog = Backlog::new(0, 10);
        assert!(backlog.take(50));
        assert!(!backlog.take(1));
        backlog.finish(50);
        assert!(backlog.take(10));
        assert!(!backlog.take(1));
    }
}
