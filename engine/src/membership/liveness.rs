//! Who seems to be dead: a member whose counter has not moved for a while *on the observer's own clock*, while the
//! observer itself could read the registry all the time. No clock of another machine is trusted, and a registry that
//! does not answer accuses nobody.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use crate::registry::{Member, MemberState};
use smartcart_domain::id::IncarnationId;

/// The observer was blind for longer than this: every count begins again.
const BLIND: Duration = Duration::from_secs(3);
/// Of the time between two looks no more counts than this. A registry that comes and goes lets one member in and not
/// another: when the observer could not look, the other could not beat.
const COUNTED: Duration = Duration::from_secs(1);

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
        let apart = self.looked.map(|looked| now.duration_since(looked));
        let blind = apart.is_none_or(|apart| apart > BLIND);
        let unseen = apart.unwrap_or_default().saturating_sub(COUNTED);
        self.looked = Some(now);
        self.seen.retain(|incarnation, _| members.iter().any(|member| member.incarnation == *incarnation));
        for member in members {
            let seen = self.seen.entry(member.incarnation).or_insert(Seen { beat: member.beat, since: now });
            if blind || seen.beat != member.beat {
                *seen = Seen { beat: member.beat, since: now };
            } else {
                seen.since += unseen;
            }
        }
    }

    /// How long a member has been silent, as far as that was seen.
    pub(crate) fn silence(&self, member: &Member, now: Instant) -> Duration {
        self.seen.get(&member.incarnation).map_or(Duration::ZERO, |seen| now.duration_since(seen.since))
    }

    /// Whether a member may come to be suspected within `soon`, by who can see that it is silent.
    pub(crate) fn is_close_to_suspicion(&self, member: &Member, soon: Duration, now: Instant) -> bool {
        let sees = self.looked.is_some_and(|looked| now.duration_since(looked) <= BLIND);
        sees && self.silence(member, now) + soon >= self.patience
    }

    /// Members that had been silent for too long at the last look.
    pub(crate) fn suspects<'a>(&self, members: &'a [Member]) -> Vec<&'a Member> {
        let Some(looked) = self.looked else { return Vec::new() };
        let silent = |member: &&Member| self.silence(member, looked) >= self.patience;
        members.iter().filter(|member| member.state != MemberState::Dead).filter(silent).collect()
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
        let mut last = Vec::new();
        for (second, beat) in looks {
            last = vec![member(*beat)];
            observer.observe(&last, start + Duration::from_secs(*second));
        }
        !observer.suspects(&last).is_empty()
    }

    #[test]
    fn a_counter_that_stands_still_is_suspicious_and_one_that_moves_is_not() {
        assert!(suspected_after(&[(0, 7), (1, 7), (2, 7), (3, 7), (4, 7), (5, 7)]));
        assert!(!suspected_after(&[(0, 7), (1, 7), (2, 7), (3, 7), (4, 8), (5, 8)]));
        assert!(!suspected_after(&[(0, 7), (1, 7), (2, 7), (3, 7), (4, 7)]));
    }

    #[test]
    fn who_sees_a_silence_says_so_before_it_accuses() {
        let start = Instant::now();
        let at = |second| start + Duration::from_secs(second);
        let mut observer = Observer::new(PATIENCE);
        for second in 0..=3 {
            observer.observe(&[member(7)], at(second));
        }
        let close = |second| observer.is_close_to_suspicion(&member(7), Duration::from_secs(2), at(second));
        assert!(close(3) && !observer.is_close_to_suspicion(&member(7), Duration::from_secs(1), at(3)));
        // Blind by now: it will count again from the beginning.
        assert!(!close(7));
    }

    #[test]
    fn what_was_not_seen_does_not_count() {
        assert!(!suspected_after(&[(0, 7), (3, 7), (6, 7), (9, 7), (12, 7)]));
        assert!(suspected_after(&[(0, 7), (3, 7), (6, 7), (9, 7), (12, 7), (15, 7)]));
    }

    #[test]
    fn who_was_blind_accuses_nobody() {
        assert!(!suspected_after(&[(0, 7), (1, 7), (60, 7)]));
        assert!(suspected_after(&[(0, 7), (60, 7), (61, 7), (62, 7), (63, 7), (64, 7), (65, 7)]));
    }
}
