//! The addresses of the shop. A balancer may shut one: nobody sends anything new there until it opens again.

use std::{
    net::SocketAddr,
    sync::atomic::{AtomicU64, AtomicUsize, Ordering},
};

#[derive(Debug)]
pub struct Doors {
    doors: Vec<Door>,
    next: AtomicUsize,
}

#[derive(Debug)]
struct Door {
    address: SocketAddr,
    /// Odd while it is shut. It never comes back to a number that it had.
    turns: AtomicU64,
}

/// A time for which a door has been open: a connection is of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opened {
    door: usize,
    turns: u64,
}

impl Doors {
    pub fn new(addresses: &[SocketAddr]) -> Self {
        let doors = addresses.iter().map(|&address| Door { address, turns: AtomicU64::new(0) }).collect();
        Self { doors, next: AtomicUsize::new(0) }
    }

    #[expect(clippy::len_without_is_empty, reason = "there is always one")]
    pub fn len(&self) -> usize {
        self.doors.len()
    }

    /// Where the next client begins: they are spread over all.
    pub fn next(&self) -> usize {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    /// Doors are counted on and on: any number is one.
    pub fn address(&self, door: usize) -> SocketAddr {
        self.door(door).address
    }

    pub fn open(&self, door: usize) -> Option<Opened> {
        let turns = self.door(door).turns.load(Ordering::SeqCst);
        turns.is_multiple_of(2).then_some(Opened { door: door % self.doors.len(), turns })
    }

    pub fn set(&self, door: usize, open: bool) {
        let turns = &self.door(door).turns;
        if turns.load(Ordering::SeqCst).is_multiple_of(2) != open {
            turns.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn door(&self, door: usize) -> &Door {
        &self.doors[door % self.doors.len()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_door_that_was_shut_meanwhile_is_another_one() {
        let doors = Doors::new(&["127.0.0.1:1".parse().unwrap(), "127.0.0.1:2".parse().unwrap()]);
        let before = doors.open(1);
        assert_eq!(before, doors.open(3), "they are counted on and on");
        doors.set(1, false);
        assert_eq!(doors.open(1), None);
        doors.set(1, true);
        assert!(doors.open(1).is_some_and(|now| Some(now) != before));
        doors.set(1, true);
        assert!(doors.open(0).is_some());
    }
}
