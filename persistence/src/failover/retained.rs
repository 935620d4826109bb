//! What the tables have not got, kept in memory: whatever a Redis forgets is written to it again.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use smartcart_domain::entry::Lane;
use smartcart_engine::journal::AppendError;

pub(super) type Record = (u64, Arc<[u8]>);
/// A lane, after which number, and its entries.
pub(super) type RetainedLane = (Lane, u64, Vec<Record>);

#[derive(Debug, Default)]
pub(super) struct Retained {
    lanes: BTreeMap<Lane, Copies>,
    bytes: u64,
}

#[derive(Debug, Default)]
struct Copies {
    /// The tables have everything up to this.
    in_tables: u64,
    /// The journal has everything up to this.
    durable: u64,
    /// What is retained begins after this. More than the tables have, when copies were dropped.
    base: u64,
    /// Those after it, without gaps.
    records: VecDeque<Arc<[u8]>>,
}

impl Copies {
    fn next(&self) -> u64 {
        self.base + self.records.len() as u64 + 1
    }

    /// Bytes of what was let go.
    fn begin_after(&mut self, through: u64) -> u64 {
        let mut bytes = 0;
        while self.base < through
            && let Some(record) = self.records.pop_front()
        {
            self.base += 1;
            bytes += record.len() as u64;
        }
        bytes
    }
}

impl Retained {
    /// Keeps an entry before it is written anywhere. The same one again changes nothing.
    pub(super) fn keep(&mut self, lane: Lane, sequence: u64, record: &Arc<[u8]>) -> Result<(), AppendError> {
        let retained = self.lanes.entry(lane).or_default();
        let expected = retained.next();
        if sequence == expected {
            self.bytes += record.len() as u64;
            retained.records.push_back(record.clone());
            return Ok(());
        }
        let place = sequence.checked_sub(retained.base + 1).and_then(|place| usize::try_from(place).ok());
        match place.and_then(|place| retained.records.get(place)) {
            Some(there) if there == record => Ok(()),
            Some(_) => Err(AppendError::Conflict { sequence }),
            None => Err(AppendError::Gap { expected }),
        }
    }

    /// The journal has an entry, and those before it.
    pub(super) fn is_durable(&mut self, lane: Lane, sequence: u64) {
        if let Some(retained) = self.lanes.get_mut(&lane) {
            retained.durable = retained.durable.max(sequence);
        }
    }

    /// The tables have everything up to `through`.
    pub(super) fn forget(&mut self, lane: Lane, through: u64) {
        if let Some(retained) = self.lanes.get_mut(&lane) {
            retained.in_tables = retained.in_tables.max(through);
            self.bytes -= retained.begin_after(through);
        }
    }

    /// Memory is short: what the journal has is dropped. Bytes that this freed.
    pub(super) fn drop_copies(&mut self) -> u64 {
        let dropped = self.lanes.values_mut().map(|retained| retained.begin_after(retained.durable)).sum();
        self.bytes -= dropped;
        dropped
    }

    /// Whether it has all that the tables have not got: without it no other journal can begin.
    pub(super) fn is_whole(&self) -> bool {
        self.lanes.values().all(|retained| retained.base <= retained.in_tables)
    }

    pub(super) fn all(&self) -> Vec<RetainedLane> {
        let lane = |(lane, retained): (&Lane, &Copies)| {
            (*lane, retained.base, (retained.base + 1..).zip(retained.records.iter().cloned()).collect())
        };
        self.lanes.iter().map(lane).collect()
    }

    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LANE: Lane = Lane(3);

    fn record(byte: u8) -> Arc<[u8]> {
        vec![byte; 10].into()
    }

    #[test]
    fn what_is_trimmed_is_forgotten_and_its_number_is_not() {
        let mut retained = Retained::default();
        for sequence in 1..=5 {
            retained.keep(LANE, sequence, &record(0)).unwrap();
        }
        retained.forget(LANE, 3);
        retained.forget(LANE, 2);
        assert_eq!(retained.bytes(), 20);
        let [(lane, base, records)] = &retained.all()[..] else { panic!("one lane") };
        assert_eq!((*lane, *base), (LANE, 3));
        assert_eq!(records.iter().map(|(sequence, _)| *sequence).collect::<Vec<_>>(), [4, 5]);
        assert!(matches!(retained.keep(LANE, 3, &record(0)), Err(AppendError::Gap { expected: 6 })));
        assert!(matches!(retained.keep(LANE, 7, &record(0)), Err(AppendError::Gap { expected: 6 })));
        retained.keep(LANE, 6, &record(0)).unwrap();
    }

    #[test]
    fn the_same_entry_again_is_kept_once() {
        let mut retained = Retained::default();
        retained.keep(LANE, 1, &record(0)).unwrap();
        retained.keep(LANE, 1, &record(0)).unwrap();
        assert_eq!(retained.bytes(), 10);
        assert!(matches!(retained.keep(LANE, 1, &record(1)), Err(AppendError::Conflict { sequence: 1 })));
    }

    #[test]
    fn without_its_copies_it_is_whole_again_when_the_tables_have_what_was_dropped() {
        let mut retained = Retained::default();
        for sequence in 1..=5 {
            retained.keep(LANE, sequence, &record(0)).unwrap();
        }
        retained.is_durable(LANE, 4);
        assert_eq!(retained.drop_copies(), 40);
        assert_eq!((retained.bytes(), retained.is_whole()), (10, false));
        // The one whose outcome is unknown is asked again.
        retained.keep(LANE, 5, &record(0)).unwrap();
        retained.forget(LANE, 3);
        assert!(!retained.is_whole());
        retained.forget(LANE, 4);
        assert!(retained.is_whole());
        assert_eq!(retained.all(), [(LANE, 4, vec![(5, record(0))])]);
        assert_eq!(retained.drop_copies(), 0);
    }
}
