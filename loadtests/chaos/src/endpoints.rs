//! The addresses of the shop. A balancer may shut one: nobody sends anything new there until it opens again.

use std::{
    net::SocketAddr,
    sync::atomic::{AtomicU64, AtomicUsize, Ordering},
};

#[derive(Debug)]
pub struct Endpoints {
    endpoints: Vec<Endpoint>,
    next: AtomicUsize,
}

#[derive(Debug)]
struct Endpoint {
    address: SocketAddr,
    /// Odd while it is shut. It never comes back to a number that it had.
    turns: AtomicU64,
}

/// A time for an endpoint has been open: a connection is of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opened {
    endpoint: usize,
    turns: u64,
}

impl Endpoints {
    pub fn new(addresses: &[SocketAddr]) -> Self {
        let endpoints =
            addresses.iter().map(|&address| Endpoint { address, turns: AtomicU64::new(0) }).collect();
        Self { endpoints, next: AtomicUsize::new(0) }
    }

    #[expect(clippy::len_without_is_empty, reason = "there is always one")]
    pub fn len(&self) -> usize {
        self.endpoints.len()
    }

    /// Where the next client begins: they are spread over all.
    pub fn next(&self) -> usize {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    /// Endpoints are counted on and on: any number is one.
    pub fn address(&self, endpoint: usize) -> SocketAddr {
        self.endpoint(endpoint).address
    }

    pub fn open(&self, endpoint: usize) -> Option<Opened> {
        let turns = self.endpoint(endpoint).turns.load(Ordering::SeqCst);
        turns.is_multiple_of(2).then_some(Opened { endpoint: endpoint % self.endpoints.len(), turns })
    }

    pub fn set(&self, endpoint: usize, open: bool) {
        let turns = &self.endpoint(endpoint).turns;
        if turns.load(Ordering::SeqCst).is_multiple_of(2) != open {
            turns.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn endpoint(&self, endpoint: usize) -> &Endpoint {
        &self.endpoints[endpoint % self.endpoints.len()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_that_was_shut_meanwhile_is_another_one() {
        let endpoints = Endpoints::new(&["127.0.0.1:1".parse().unwrap(), "127.0.0.1:2".parse().unwrap()]);
        let before = endpoints.open(1);
        assert_eq!(before, endpoints.open(3), "they are counted on and on");
        endpoints.set(1, false);
        assert_eq!(endpoints.open(1), None);
        endpoints.set(1, true);
        assert!(endpoints.open(1).is_some_and(|now| Some(now) != before));
        endpoints.set(1, true);
        assert!(endpoints.open(0).is_some());
    }
}
