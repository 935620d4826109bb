//! What the tables have not got, kept in memory: whatever a Redis forgets is written to it again.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use smartcart_engine::{commit::Lane, journal::AppendError};

pub(super) type Record = (u64, Arc<[u8]>);

#[derive(Debug, Default)]
pub(super) struct Kept {
    lanes: BTreeMap<Lane, KeptLane>,
    bytes: u64,
}

#[derive(Debug, Default)]
struct KeptLane {
    /// The tables have everything up to this.
    base: u64,
    /// Those after it, without gaps.
    records: VecDeque<Arc<[u8]>>,
}

impl KeptLane {
    fn next(&self) -> u64 {
        self.base + self.records.len() as u64 + 1
    }
}

impl Kept {
    /// Keeps an entry before it is written anywhere. The same one again changes nothing.
    pub(super) fn keep(&mut self, lane: Lane, sequence: u64, record: &Arc<[u8]>) -> Result<(), AppendError> {
        let kept = self.lanes.entry(lane).or_default();
        let expected = kept.next();
        if sequence == expected {
            self.bytes += record.len() as u64;
            kept.records.push_back(record.clone());
            return Ok(());
        }
        let place = sequence.checked_sub(kept.base + 1).and_then(|place| usize::try_from(place).ok());
        match place.and_then(|place| kept.records.get(place)) {
            Some(there) if there == record => Ok(()),
            Some(_) => Err(AppendError::Conflict { sequence }),
            None => Err(AppendError::Gap { expected }),
        }
    }

    /// The tables have everything up to `through`. Whether anything was kept of it.
    pub(super) fn forget(&mut self, lane: Lane, through: u64) {
        let Some(kept) = self.lanes.get_mut(&lane) else { return };
        while kept.base < through
            && let Some(record) = kept.records.pop_front()
        {
            kept.base += 1;
            self.bytes -= record.len() as u64;
        }
    }

    /// Each lane: after which number, and its entries.
    pub(super) fn all(&self) -> Vec<(Lane, u64, Vec<Record>)> {
        let lane = |(lane, kept): (&Lane, &KeptLane)| {
            (*lane, kept.base, (kept.base + 1..).zip(kept.records.iter().cloned()).collect())
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
        let mut kept = Kept::default();
        for sequence in 1..=5 {
            kept.keep(LANE, sequence, &record(0)).unwrap();
        }
        kept.forget(LANE, 3);
        kept.forget(LANE, 2);
        assert_eq!(kept.bytes(), 20);
        let [(lane, base, records)] = &kept.all()[..] else { panic!("one lane") };
        assert_eq!((*lane, *base), (LANE, 3));
        assert_eq!(records.iter().map(|(sequence, _)| *sequence).collect::<Vec<_>>(), [4, 5]);
        assert!(matches!(kept.keep(LANE, 3, &record(0)), Err(AppendError::Gap { expected: 6 })));
        assert!(matches!(kept.keep(LANE, 7, &record(0)), Err(AppendError::Gap { expected: 6 })));
        kept.keep(LANE, 6, &record(0)).unwrap();
    }

    #[test]
    fn the_same_entry_again_is_kept_once() {
        let mut kept = Kept::default();
        kept.keep(LANE, 1, &record(0)).unwrap();
        kept.keep(LANE, 1, &record(0)).unwrap();
        assert_eq!(kept.bytes(), 10);
        assert!(matches!(kept.keep(LANE, 1, &record(1)), Err(AppendError::Conflict { sequence: 1 })));
    }
}
