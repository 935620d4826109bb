//! What must be true in every state, and what a search must have seen.

use super::{
    rules::Rules,
    state::{Changes, Member, PODS, PodIndex, ShardState, State},
};

impl State {
    /// The promise that this state breaks.
    pub(crate) fn broken(&self, rules: &Rules) -> Option<&'static str> {
        self.wrong.or_else(|| self.lost()).or_else(|| self.answers_badly(rules)).or_else(|| self.orphaned())
    }

    /// Every acknowledged change is in the tables, or where a recovery will find it; no change is anywhere twice.
    fn lost(&self) -> Option<&'static str> {
        let found_by_recovery = |version, change| {
            (0..PODS).any(|index| {
                self.journal[index].at(version) == change
                    && self.watermark[index] < version
                    && self.members[index] != Member::Gone
            })
        };
        for version in 1..=Changes::VERSIONS {
            let change = self.acknowledged.at(version);
            if change != 0 && self.tables.at(version) != change {
                if self.tables.at(version) != 0 {
                    return Some("the tables have another change in the place of an acknowledged one");
                }
                if !found_by_recovery(version, change) {
                    return Some("an acknowledged change is lost: neither the tables nor a journal has it");
                }
            }
        }
        self.tables.has_one_twice().then_some("a change was made twice")
    }

    /// Whoever answers at this moment answers with every acknowledged change.
    fn answers_badly(&self, rules: &Rules) -> Option<&'static str> {
        let bad = |index: &PodIndex| {
            let pod = &self.pods[*index];
            let answers = pod.runs && matches!(pod.shard, ShardState::Owned | ShardState::Draining);
            answers
                && (pod.confirmed || !rules.confirmed_answers)
                && !pod.memory.unwrap_or_else(|| self.load(*index, rules)).has_all_of(self.acknowledged)
        };
        (0..PODS)
            .any(|index| bad(&index))
            .then_some("a pod answers with a state older than an acknowledged one")
    }

    /// The registry's owner can open the shard, now or when it looks.
    fn orphaned(&self) -> Option<&'static str> {
        let owner = self.owner.filter(|owner| self.is_live(*owner) && self.pods[*owner].runs)?;
        let pod = &self.pods[owner];
        (pod.shard == ShardState::Remote && pod.epoch >= self.epoch)
            .then_some("nobody will ever serve the shard: its owner believes that it has given it away")
    }
}

type Sight = (&'static str, fn(&State) -> bool);

/// States that a search must have met, or it has shown nothing.
pub(crate) const SIGHTS: [Sight; 6] = [
    ("a pod declared dead believes that it owns", |state| zombies(state).next().is_some()),
    ("such a pod appends while another owns the shard", |state| {
        zombies(state).any(|index| state.pods[index].append.is_some() && state.owner != Some(index))
    }),
    ("an acknowledged change is only in a dead pod's journal", |state| {
        (0..PODS).any(|index| {
            state.members[index] == Member::Dead
                && !state.tables.has_all_of(state.acknowledged)
                && state.journal[index].has_all_of(state.acknowledged)
        })
    }),
    ("a new owner acknowledges after a take-over", |state| {
        state.members[0] == Member::Gone && (1..PODS).any(|index| answered(state, index))
    }),
    ("a shard came back to who had handed it over", |state| {
        state.epoch >= 3
            && state.owner == Some(0)
            && state.pods[0].shard == ShardState::Owned
            && answered(state, 1)
    }),
    ("a claim waits while another pod has taken the shard", |state| {
        state.owner.is_some() && state.pods.iter().any(|pod| pod.claim.is_some())
    }),
];

fn zombies(state: &State) -> impl Iterator<Item = PodIndex> {
    (0..PODS).filter(|index| {
        let pod = &state.pods[*index];
        matches!(state.members[*index], Member::Dead | Member::Gone)
            && pod.runs
            && pod.shard == ShardState::Owned
    })
}

/// An acknowledged change is in the pod's journal.
fn answered(state: &State, index: PodIndex) -> bool {
    let journal = state.journal[index];
    (1..=Changes::VERSIONS)
        .any(|version| journal.at(version) != 0 && journal.at(version) == state.acknowledged.at(version))
}
