//! How pods go without being asked, and how others get what they had.

use super::{
    rules::Rules,
    state::{Changes, Member, PODS, Phase, PodIndex, State, TakeOver},
    steps::when,
};

impl State {
    pub(crate) fn crash(&mut self, index: PodIndex) -> Option<()> {
        when(self.pods[index].runs)?;
        self.left.crashes = self.left.crashes.checked_sub(1)?;
        self.stop(index);
        Some(())
    }

    /// For so long that nothing confirms its ownership any more. It may go on at any moment, or send a heartbeat again.
    pub(crate) fn fall_silent(&mut self, index: PodIndex) -> Option<()> {
        when(self.pods[index].runs && self.pods[index].confirmed && self.is_live(index))?;
        self.left.silences = self.left.silences.checked_sub(1)?;
        self.pods[index].confirmed = false;
        Some(())
    }

    /// The fence's other side: its lock is got when nobody shares it, and nobody shares it to write afterwards.
    pub(crate) fn declare_dead(&mut self, index: PodIndex, rules: &Rules) -> Option<()> {
        let pod = &self.pods[index];
        when(self.is_live(index) && !(pod.runs && pod.confirmed && rules.patience))?;
        when((0..PODS).any(|other| other != index && self.is_live(other) && self.pods[other].runs))?;
        let in_flight = pod.claim.is_some()
            || pod.append.is_some_and(|append| append.phase == Phase::Admitted)
            || [pod.flushing, pod.urgent].iter().flatten().any(|flush| flush.phase == Phase::Admitted);
        when(!in_flight || !rules.wait_for_in_flight)?;
        self.members[index] = Member::Dead;
        Some(())
    }

    /// Several may do so at once: a lock that goes with its connection saves work, and keeps nothing safe.
    pub(crate) fn read_journal(&mut self, index: PodIndex, dead: PodIndex) -> Option<()> {
        when(self.pods[index].runs && self.pods[index].take_over.is_none() && index != dead)?;
        when(self.members[dead] == Member::Dead)?;
        match self.finished(dead) {
            Some(snapshot) => self.pods[index].take_over = Some(TakeOver { dead, snapshot, written: false }),
            None => self.wrong = Some("a journal has a hole: what it goes on from is not in the tables"),
        }
        Some(())
    }

    /// A flush like any other: fenced as the one who writes, only over lower versions, with the dead one's watermark.
    pub(crate) fn finish_journal(&mut self, index: PodIndex, rules: &Rules) -> Option<()> {
        let take_over = self.pods[index].take_over.filter(|take_over| !take_over.written)?;
        if !self.admits(index, rules) {
            self.stop(index);
            return Some(());
        }
        self.write(take_over.snapshot, rules);
        if self.members[take_over.dead] == Member::Dead {
            self.watermark[take_over.dead] = Changes::VERSIONS;
        }
        self.pods[index].take_over = Some(TakeOver { written: true, ..take_over });
        Some(())
    }

    /// One transaction: the dead one's shard to somebody live, or to nobody; its journal and its rows go.
    pub(crate) fn reassign(&mut self, index: PodIndex, to: Option<PodIndex>) -> Option<()> {
        let dead = self.pods[index].take_over.filter(|take_over| take_over.written)?.dead;
        when(to.is_none_or(|to| self.is_live(to)))?;
        self.pods[index].take_over = None;
        if self.members[dead] == Member::Dead {
            if self.owner == Some(dead) {
                (self.owner, self.epoch) = (to, self.epoch + 1);
            }
            self.forget(dead);
        }
        Some(())
    }

    /// What would happen if the journal were finished later.
    pub(crate) fn reassign_early(&mut self, dead: PodIndex, to: PodIndex, rules: &Rules) -> Option<()> {
        when(!rules.finish_first && self.members[dead] == Member::Dead && self.owner == Some(dead))?;
        when(self.is_live(to))?;
        (self.owner, self.epoch) = (Some(to), self.epoch + 1);
        Some(())
    }

    /// The shard is free at this moment; the row's lock may come later.
    pub(crate) fn begin_claim(&mut self, index: PodIndex) -> Option<()> {
        let there = self.members.map(|member| !matches!(member, Member::NotYet | Member::Gone));
        when(self.pods[index].runs && self.pods[index].claim.is_none() && self.is_live(index))?;
        when(self.owner.is_none_or(|owner| !there[owner]))?;
        self.pods[index].claim = Some(there);
        Some(())
    }

    pub(crate) fn end_claim(&mut self, index: PodIndex, rules: &Rules) -> Option<()> {
        let then = self.pods[index].claim.take()?;
        let now = self.members.map(|member| !matches!(member, Member::NotYet | Member::Gone));
        let there = if rules.claim_looks_again { now } else { then };
        if self.owner.is_none_or(|owner| !there[owner]) {
            (self.owner, self.epoch) = (Some(index), self.epoch + 1);
        }
        Some(())
    }
}
