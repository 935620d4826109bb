//! One state of the model: what the database has, what each pod has in memory, what the clients were told.

use super::rules::{Bounds, Rules};

pub(crate) const PODS: usize = 3;
/// A pod by its index; here each pod is one incarnation, since a restart is a new one.
pub(crate) type PodIndex = usize;

/// Numbered changes of the entity by the version that each made, four bits a version: a snapshot when there is no gap.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub(crate) struct Changes(u16);

impl Changes {
    pub(crate) const VERSIONS: u8 = 4;

    /// The change that made a version; 0 is none.
    pub(crate) fn at(self, version: u8) -> u16 {
        self.0 >> (4 * (version - 1)) & 0xF
    }

    pub(crate) fn with(self, version: u8, change: u16) -> Self {
        let index = 4 * (version - 1);
        Self(self.0 & !(0xF << index) | change << index)
    }

    /// The last version of a snapshot.
    pub(crate) fn version(self) -> u8 {
        (1..=Self::VERSIONS).take_while(|version| self.at(*version) != 0).last().unwrap_or(0)
    }

    pub(crate) fn version_of(self, change: u16) -> Option<u8> {
        (1..=Self::VERSIONS).find(|version| self.at(*version) == change)
    }

    pub(crate) fn has_all_of(self, other: Self) -> bool {
        (1..=Self::VERSIONS).all(|version| other.at(version) == 0 || other.at(version) == self.at(version))
    }

    pub(crate) fn has_one_twice(self) -> bool {
        (1..=Self::VERSIONS)
            .any(|version| self.at(version) != 0 && self.version_of(self.at(version)) != Some(version))
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Member {
    NotYet,
    Live,
    Dead,
    /// Its shards were reassigned, its journal and its rows are forgotten.
    Gone,
}

/// How far a transaction has come. It goes on, or not, when the process that sent it has died.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Phase {
    Sent,
    /// It shares its incarnation's fence, and has seen that it may write.
    Admitted,
    /// Its answer is under way.
    Committed,
}

/// One entry for the journal: the last change of a snapshot.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Append {
    pub(crate) phase: Phase,
    pub(crate) snapshot: Changes,
}

/// Of the write-behind for the tables.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Flush {
    pub(crate) phase: Phase,
    pub(crate) snapshot: Changes,
    /// Moves in the same transaction. A row that goes ahead of its turn (a handover's, a checkout's) moves none.
    pub(crate) watermark: Option<u8>,
    /// A handover goes on when the tables have it.
    pub(crate) awaited: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum ShardState {
    Remote,
    Owned,
    Draining,
    Transferring,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Asked {
    Sent,
    Committed,
    /// The answer was lost, and the question asked again changes nothing: now the rows must tell.
    Unknown,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct TakeOver {
    pub(crate) dead: PodIndex,
    /// The entity as the tables and the dead one's journal have it.
    pub(crate) snapshot: Changes,
    pub(crate) written: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Pod {
    /// The process runs, and has not heard that it was declared dead.
    pub(crate) runs: bool,
    /// It has heard from the registry lately.
    pub(crate) confirmed: bool,
    /// Owner and epoch as the registry had them, read and not applied yet.
    pub(crate) rows_read: Option<(Option<PodIndex>, u8)>,
    pub(crate) shard: ShardState,
    pub(crate) epoch: u8,
    /// The entity as far as it is durable, once it is loaded.
    pub(crate) memory: Option<Changes>,
    pub(crate) append: Option<Append>,
    /// Waits for the next flush.
    pub(crate) gathering: Option<Changes>,
    /// Belongs to the flush that has begun, and that may be long.
    pub(crate) flushing: Option<Flush>,
    /// A row of a handover, ahead of its turn.
    pub(crate) urgent: Option<Flush>,
    pub(crate) flushed: bool,
    pub(crate) handover: Option<(Option<PodIndex>, Asked)>,
    /// A reader was let in. It is not counted among those inside.
    pub(crate) reader: bool,
    /// What its load has found in the tables.
    pub(crate) loading: Option<Changes>,
    /// Shares the fence and waits for the row's lock, having seen these members.
    pub(crate) claim: Option<[bool; PODS]>,
    pub(crate) take_over: Option<TakeOver>,
}

/// Another kind of journal (one outside the database, that may forget a seal and its last entries) becomes an enum in
/// the place of `journal`, with its steps beside `Step::Append`; a pod that must read its member row after each
/// connection gets a flag beside `confirmed`; a database that is away is a flag here, asked in `State::admits`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct State {
    // The database.
    pub(crate) tables: Changes,
    pub(crate) members: [Member; PODS],
    pub(crate) journal: [Changes; PODS],
    /// By version: the tables have the incarnation's entries up to here.
    pub(crate) watermark: [u8; PODS],
    pub(crate) owner: Option<PodIndex>,
    pub(crate) epoch: u8,
    // The pods.
    pub(crate) pods: [Pod; PODS],
    // The clients.
    pub(crate) acknowledged: Changes,
    /// Changes, by number, whose client has no answer; it asks again.
    pub(crate) unanswered: u8,
    pub(crate) asked: u8,
    /// What went wrong on the way here.
    pub(crate) wrong: Option<&'static str>,
    pub(crate) left: Bounds,
}

impl State {
    pub(crate) fn first(bounds: Bounds) -> Self {
        let pod = Pod {
            runs: true,
            confirmed: true,
            rows_read: None,
            shard: ShardState::Remote,
            epoch: 1,
            memory: None,
            append: None,
            gathering: None,
            flushing: None,
            urgent: None,
            flushed: false,
            handover: None,
            reader: false,
            loading: None,
            claim: None,
            take_over: None,
        };
        let mut state = Self {
            tables: Changes::default(),
            members: [Member::Live; PODS],
            journal: [Changes::default(); PODS],
            watermark: [0; PODS],
            owner: Some(0),
            epoch: 1,
            pods: [pod; PODS],
            acknowledged: Changes::default(),
            unanswered: 0,
            asked: 0,
            wrong: None,
            left: bounds,
        };
        if bounds.new_fleet {
            state.owner = None;
            state.members[2] = Member::NotYet;
            state.pods[2].runs = false;
        } else {
            state.pods[0].shard = ShardState::Owned;
        }
        state
    }

    pub(crate) fn is_live(&self, index: PodIndex) -> bool {
        self.members[index] == Member::Live
    }

    /// The fence: whether the database lets an incarnation write.
    pub(crate) fn admits(&self, index: PodIndex, rules: &Rules) -> bool {
        self.is_live(index) || !rules.fence
    }

    /// What a pod would load: the tables, and what waits for them in its own memory.
    pub(crate) fn load(&self, index: PodIndex, rules: &Rules) -> Changes {
        let pod = &self.pods[index];
        let waiting = pod.gathering.or(pod.urgent.map(|urgent| urgent.snapshot));
        match waiting.or(pod.flushing.map(|flushing| flushing.snapshot)) {
            Some(snapshot) if !rules.tables_may_be_newer || snapshot.version() > self.tables.version() => {
                snapshot
            }
            _ => self.tables,
        }
    }

    /// The entity after a dead one's journal past its watermark. Nothing: there is a gap.
    pub(crate) fn finished(&self, dead: PodIndex) -> Option<Changes> {
        let mut snapshot = self.tables;
        for version in self.watermark[dead] + 1..=Changes::VERSIONS {
            let change = self.journal[dead].at(version);
            if change != 0 && version > snapshot.version() {
                (version == snapshot.version() + 1).then_some(())?;
                snapshot = snapshot.with(version, change);
            }
        }
        Some(snapshot)
    }

    /// The process has ended, or ends because it has been declared dead. What it has sent is still under way.
    pub(crate) fn stop(&mut self, index: PodIndex) {
        let pod = &mut self.pods[index];
        if let Some(append) = pod.append {
            self.unanswered |= 1 << append.snapshot.at(append.snapshot.version());
        }
        let under_way = |phase| phase != Phase::Committed;
        let asking =
            pod.handover.filter(|(_, asked)| pod.shard == ShardState::Transferring && *asked == Asked::Sent);
        *pod = Pod {
            runs: false,
            confirmed: false,
            rows_read: None,
            shard: if asking.is_some() { ShardState::Transferring } else { ShardState::Remote },
            epoch: if asking.is_some() { pod.epoch } else { 0 },
            memory: None,
            append: pod.append.filter(|append| under_way(append.phase)),
            gathering: None,
            flushing: pod.flushing.filter(|flush| under_way(flush.phase)),
            urgent: pod.urgent.filter(|flush| under_way(flush.phase)),
            flushed: false,
            handover: asking,
            reader: false,
            loading: None,
            claim: None,
            take_over: None,
        };
    }

    /// Its journal and its rows go.
    pub(crate) fn forget(&mut self, index: PodIndex) {
        self.members[index] = Member::Gone;
        self.journal[index] = Changes::default();
        self.watermark[index] = 0;
    }
}
