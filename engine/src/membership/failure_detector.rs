//! Who seems to be dead: a member whose counter has not moved for a while *on the observer's own clock*, while the
//! observer itself could read the registry all the time. No clock of another machine is trusted, and while the registry
//! does not answer, nobody is suspected. Observations in, suspects out: it reads no clock and waits for nothing.

use std::{collections::HashMap, time::Duration};

use crate::limits::READS_WITHOUT_CONFIRMATION;
use crate::registry::{Member, MemberState};
use smartcart_domain::id::IncarnationId;

/// The observer was blind for longer than this: every count begins again.
const BLIND: Duration = Duration::from_secs(3);
/// Of the time between two looks no more counts than this. A registry that comes and goes lets one member in and not
/// another: when the observer could not look, the other could send no heartbeat.
const COUNTED: Duration = Duration::from_secs(1);

/// Moments are durations on the observer's monotonic clock.
#[derive(Debug)]
pub(crate) struct FailureDetector {
    me: Member,
    heartbeat_interval: Duration,
    suspicion_timeout: Duration,
    looked: Option<Duration>,
    seen: HashMap<IncarnationId, Seen>,
}

#[derive(Debug, Clone, Copy)]
struct Seen {
    heartbeat: u64,
    since: Duration,
}

/// A member that seems to be dead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Suspect {
    pub(crate) member: Member,
    /// The observer has taken its pod's name: no other process answers to it, so there is nobody to ask.
    pub(crate) replaced: bool,
}

impl FailureDetector {
    pub(crate) fn new(me: Member, heartbeat_interval: Duration, suspicion_timeout: Duration) -> Self {
        Self { me, heartbeat_interval, suspicion_timeout, looked: None, seen: HashMap::new() }
    }

    /// What the registry said at `now`.
    pub(crate) fn observe(&mut self, members: &[Member], now: Duration) {
        let apart = self.looked.map(|looked| now.saturating_sub(looked));
        let blind = apart.is_none_or(|apart| apart > BLIND);
        let unseen = apart.unwrap_or_default().saturating_sub(COUNTED);
        self.looked = Some(now);
        self.seen.retain(|incarnation, _| members.iter().any(|member| member.incarnation == *incarnation));
        for member in members {
            let first = Seen { heartbeat: member.heartbeat, since: now };
            let seen = self.seen.entry(member.incarnation).or_insert(first);
            if blind || seen.heartbeat != member.heartbeat {
                *seen = first;
            } else {
                seen.since += unseen;
            }
        }
    }

    /// How long a member has been silent, as far as that was seen.
    fn silence(&self, member: &Member, now: Duration) -> Duration {
        self.seen.get(&member.incarnation).map_or(Duration::ZERO, |seen| now.saturating_sub(seen.since))
    }

    /// Whether the observer, which can see that a member is silent, may suspect it within `soon`.
    pub(crate) fn is_close_to_suspicion(&self, member: &Member, soon: Duration, now: Duration) -> bool {
        let sees = self.looked.is_some_and(|looked| now.saturating_sub(looked) <= BLIND);
        sees && self.silence(member, now) + soon >= self.suspicion_timeout
    }

    /// Members that had been silent for too long at the last look; sooner whoever had this pod's own name before it, as
    /// soon as its readers do not trust any more that nobody has taken its shards.
    pub(crate) fn suspects(&self, members: &[Member], now: Duration) -> Vec<Suspect> {
        let Some(looked) = self.looked else { return Vec::new() };
        let replaced_after = READS_WITHOUT_CONFIRMATION + self.heartbeat_interval;
        let suspect = |member: &Member| {
            let replaced = member.pod == self.me.pod && self.silence(member, now) >= replaced_after;
            let silent = self.silence(member, looked) >= self.suspicion_timeout;
            (replaced || silent).then(|| Suspect { member: member.clone(), replaced })
        };
        let others = members.iter().filter(|member| member.incarnation != self.me.incarnation);
        others.filter(|member| member.state != MemberState::Dead).filter_map(suspect).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(5);

    fn member(heartbeat: u64) -> Member {
        Member { heartbeat, ..Member::live("a", 1) }
    }

    fn detector() -> FailureDetector {
        let me = Member { incarnation: IncarnationId(9), pod: "me".to_owned(), ..member(0) };
        FailureDetector::new(me, Duration::from_millis(500), TIMEOUT)
    }

    fn suspected_after(looks: &[(u64, u64)]) -> bool {
        let mut detector = detector();
        let mut last = Vec::new();
        let mut now = Duration::ZERO;
        for (second, heartbeat) in looks {
            last = vec![member(*heartbeat)];
            now = Duration::from_secs(*second);
            detector.observe(&last, now);
        }
        !detector.suspects(&last, now).is_empty()
    }

    #[test]
    fn a_counter_that_stands_still_is_suspicious_and_one_that_moves_is_not() {
        assert!(suspected_after(&[(0, 7), (1, 7), (2, 7), (3, 7), (4, 7), (5, 7)]));
        assert!(!suspected_after(&[(0, 7), (1, 7), (2, 7), (3, 7), (4, 8), (5, 8)]));
        assert!(!suspected_after(&[(0, 7), (1, 7), (2, 7), (3, 7), (4, 7)]));
    }

    #[test]
    fn who_sees_a_silence_says_so_before_it_suspects() {
        let mut detector = detector();
        for second in 0..=3 {
            detector.observe(&[member(7)], Duration::from_secs(second));
        }
        let close = |second, soon| {
            let (soon, now) = (Duration::from_secs(soon), Duration::from_secs(second));
            detector.is_close_to_suspicion(&member(7), soon, now)
        };
        assert!(close(3, 2) && !close(3, 1));
        // Blind by now: it will count again from the beginning.
        assert!(!close(7, 2));
    }

    #[test]
    fn what_was_not_seen_does_not_count() {
        assert!(!suspected_after(&[(0, 7), (3, 7), (6, 7), (9, 7), (12, 7)]));
        assert!(suspected_after(&[(0, 7), (3, 7), (6, 7), (9, 7), (12, 7), (15, 7)]));
    }

    #[test]
    fn who_was_blind_suspects_nobody() {
        assert!(!suspected_after(&[(0, 7), (1, 7), (60, 7)]));
        assert!(suspected_after(&[(0, 7), (60, 7), (61, 7), (62, 7), (63, 7), (64, 7), (65, 7)]));
    }

    #[test]
    fn who_had_the_observers_name_is_suspected_sooner_and_the_observer_and_the_dead_never() {
        let before = Member { pod: "me".to_owned(), ..member(7) };
        let mut detector = detector();
        let suspects_after = |detector: &mut FailureDetector, members: &[Member]| {
            for second in 0..=3 {
                detector.observe(members, Duration::from_secs(second));
            }
            detector.suspects(members, Duration::from_secs(3))
        };
        let members = [before.clone(), Member { incarnation: IncarnationId(9), ..before.clone() }];
        assert_eq!(
            suspects_after(&mut detector, &members),
            [Suspect { member: before.clone(), replaced: true }]
        );
        let dead = [Member { state: MemberState::Dead, ..before }];
        assert_eq!(suspects_after(&mut detector, &dead), []);
    }
}
