//! What must be true in every state, and what a search must have seen.

use super::{
    rules::Rules,
    state::{Book, Changes, Member, PODS, Place, State},
};

impl State {
    /// The promise that this state breaks.
    pub(crate) fn broken(&self, rules: &Rules) -> Option<&'static str> {
        self.wrong.or_else(|| self.lost()).or_else(|| self.answers_badly(rules)).or_else(|| self.orphaned())
    }

    /// Every acknowledged change is in the tables, or where a recovery will find it; no change is anywhere twice.
    fn lost(&self) -> Option<&'static str> {
        let found_by_recovery = |version, change| {
            (0..PODS).any(|place| {
                self.journal[place].at(version) == change
                    && self.watermark[place] < version
                    && self.members[place] != Member::Gone
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
        let bad = |place: &Place| {
            let pod = &self.pods[*place];
            let answers = pod.runs && matches!(pod.book, Book::Owned | Book::Draining);
            answers
                && (pod.confirmed || !rules.confirmed_answers)
                && !pod.memory.unwrap_or_else(|| self.load(*place, rules)).has_all_of(self.acknowledged)
        };
        (0..PODS)
            .any(|place| bad(&place))
            .then_some("a pod answers with a state older than an acknowledged one")
    }

    /// The registry's owner can open the shard, now or when it looks.
    fn orphaned(&self) -> Option<&'static str> {
        let owner = self.owner.filter(|owner| self.is_live(*owner) && self.pods[*owner].runs)?;
        let pod = &self.pods[owner];
        (pod.book == Book::Remote && pod.epoch >= self.epoch)
            .then_some("nobody will ever serve the shard: its owner believes that it has given it away")
    }
}

type Sight = (&'static str, fn(&State) -> bool);

/// States that a search must have met, or it has shown nothing.
pub(crate) const SIGHTS: [Sight; 6] = [
    ("a pod declared dead believes that it owns", |state| zombies(state).next().is_some()),
    ("such a pod appends while another owns the shard", |state| {
        zombies(state).any(|place| state.pods[place].append.is_some() && state.owner != Some(place))
    }),
    ("an acknowledged change is only in a dead pod's journal", |state| {
        (0..PODS).any(|place| {
            state.members[place] == Member::Dead
                && !state.tables.has_all_of(state.acknowledged)
                && state.journal[place].has_all_of(state.acknowledged)
        })
    }),
    ("a new owner acknowledges after a take-over", |state| {
        state.members[0] == Member::Gone && (1..PODS).any(|place| answered(state, place))
    }),
    ("a shard came back to who had handed it over", |state| {
        state.epoch >= 3 && state.owner == Some(0) && state.pods[0].book == Book::Owned && answered(state, 1)
    }),
    ("a claim waits while another pod has taken the shard", |state| {
        state.owner.is_some() && state.pods.iter().any(|pod| pod.claim.is_some())
    }),
];

fn zombies(state: &State) -> impl Iterator<Item = Place> {
    (0..PODS).filter(|place| {
        let pod = &state.pods[*place];
        matches!(state.members[*place], Member::Dead | Member::Gone) && pod.runs && pod.book == Book::Owned
    })
}

/// An acknowledged change is in the pod's journal.
fn answered(state: &State, place: Place) -> bool {
    let journal = state.journal[place];
    (1..=Changes::VERSIONS)
        .any(|version| journal.at(version) != 0 && journal.at(version) == state.acknowledged.at(version))
}
