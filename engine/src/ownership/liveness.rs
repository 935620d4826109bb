//! Who seems to be dead: a member whose counter has not moved for a while *on the observer's own clock*, while the
//! observer itself could read the registry all the time. No clock of another machine is trusted, and a registry that
//! does not answer accuses nobody.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use super::{Member, MemberState};
use crate::id::IncarnationId;

/// The observer was blind for longer than this: every count begins again.
const BLIND: Duration = Duration::from_secs(3);

#[derive(Debug)]
pub(crate) struct Observer {
    patience: Duration,
    looked: Option<Instant>,
    seen: HashMap<IncarnationId, Seen>,
}

#[derive(Debug, Clone, Copy)]
struct Seen {
    beat: u64,
    since: Instant,
}

impl Observer {
    pub(crate) fn new(patience: Duration) -> Self {
        Self { patience, looked: None, seen: HashMap::new() }
    }

    /// What the registry said at `now`.
    pub(crate) fn observe(&mut self, members: &[Member], now: Instant) {
        let blind = self.looked.is_none_or(|looked| now.duration_since(looked) > BLIND);
        self.looked = Some(now);
        self.seen.retain(|incarnation, _| members.iter().any(|member| member.incarnation == *incarnation));
        for member in members {
            let seen = self.seen.entry(member.incarnation).or_insert(Seen { beat: member.beat, since: now });
            if blind || seen.beat != member.beat {
                *seen = Seen { beat: member.beat, since: now };
            }
        }
    }

    /// How long a member has been silent.
    pub(crate) fn silence(&self, member: &Member, now: Instant) -> Duration {
        self.seen.get(&member.incarnation).map_or(Duration::ZERO, |seen| now.duration_since(seen.since))
    }

    /// Members that have been silent for too long.
    pub(crate) fn suspects<'a>(&self, members: &'a [Member], now: Instant) -> Vec<&'a Member> {
        members
            .iter()
            .filter(|member| member.state != MemberState::Dead && self.silence(member, now) >= self.patience)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(5);

    fn member(beat: u64) -> Member {
        Member {
            incarnation: IncarnationId(1),
            pod: "a".to_owned(),
            address: String::new(),
            owns_shards: true,
            beat,
            state: MemberState::Live,
            protocol: 1,
        }
    }

    fn suspected_after(looks: &[(u64, u64)]) -> bool {
        let start = Instant::now();
        let mut observer = Observer::new(PATIENCE);
        let mut last = (Vec::new(), start);
        for (second, beat) in looks {
            last = (vec![member(*beat)], start + Duration::from_secs(*second));
            observer.observe(&last.0, last.1);
        }
        !observer.suspects(&last.0, last.1).is_empty()
    }

    #[test]
    fn a_counter_that_stands_still_is_suspicious_and_one_that_moves_is_not() {
        assert!(suspected_after(&[(0, 7), (1, 7), (2, 7), (3, 7), (4, 7), (5, 7)]));
        assert!(!suspected_after(&[(0, 7), (1, 7), (2, 7), (3, 7), (4, 8), (5, 8)]));
        assert!(!suspected_after(&[(0, 7), (1, 7), (2, 7), (3, 7), (4, 7)]));
    }

    #[test]
    fn who_was_blind_accuses_nobody() {
        assert!(!suspected_after(&[(0, 7), (1, 7), (60, 7)]));
        assert!(suspected_after(&[(0, 7), (60, 7), (61, 7), (62, 7), (63, 7), (64, 7), (65, 7)]));
    }
}
