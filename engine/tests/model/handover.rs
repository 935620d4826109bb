//! Giving a shard away on purpose: close, wait for those inside, write what waits, forget, and then the new owner's name.

use super::{
    rules::Rules,
    state::{Asked, Flush, Phase, PodIndex, ShardState, State},
    steps::{Transaction, when},
};

impl State {
    /// To another pod, or to nobody, when the last one goes.
    pub(crate) fn close(&mut self, index: PodIndex, to: Option<PodIndex>) -> Option<()> {
        let pod = &mut self.pods[index];
        when(pod.runs && pod.shard == ShardState::Owned && to != Some(index))?;
        when(to.is_some() || self.left.deregistrations > 0)?;
        self.left.handovers = self.left.handovers.checked_sub(1)?;
        pod.shard = ShardState::Draining;
        pod.flushed = false;
        pod.handover = Some((to, Asked::Sent));
        Some(())
    }

    /// It is given up before the registry was asked: those inside do not finish in time, the tables do not answer, or
    /// whoever wanted it has gone. What it wanted written is on its way still, but nothing waits for it any more.
    pub(crate) fn reopen(&mut self, index: PodIndex) -> Option<()> {
        let pod = &mut self.pods[index];
        when(pod.runs && pod.shard == ShardState::Draining)?;
        pod.shard = ShardState::Owned;
        pod.flushed = false;
        pod.handover = None;
        if let Some(urgent) = &mut pod.urgent {
            urgent.awaited = false;
        }
        Some(())
    }

    pub(crate) fn flush_shard(&mut self, index: PodIndex, rules: &Rules) -> Option<()> {
        let pod = &mut self.pods[index];
        when(pod.runs && pod.shard == ShardState::Draining && !pod.flushed && pod.urgent.is_none())?;
        when(pod.append.is_none() || !rules.drain)?;
        // What belongs to a flush that has begun stays in it, too.
        match pod.gathering.take().or(pod.flushing.map(|flushing| flushing.snapshot)) {
            Some(snapshot) if rules.flush_before_handover => {
                pod.urgent = Some(Flush { phase: Phase::Sent, snapshot, watermark: None, awaited: true });
            }
            waiting => {
                pod.gathering = waiting.filter(|_| pod.flushing.is_none());
                pod.flushed = true;
            }
        }
        Some(())
    }

    /// A load in progress ends first.
    pub(crate) fn clear(&mut self, index: PodIndex) -> Option<()> {
        let pod = &mut self.pods[index];
        when(pod.shard == ShardState::Draining && pod.flushed && pod.loading.is_none())?;
        pod.shard = ShardState::Transferring;
        pod.flushed = false;
        pod.memory = None;
        Some(())
    }

    /// One transaction: fenced, only while the new owner is live, only at the epoch that is given away.
    pub(crate) fn write_owner(&mut self, index: PodIndex, part: Transaction, rules: &Rules) -> Option<()> {
        let pod = self.pods[index];
        let (to, asked) = pod.handover.filter(|_| pod.shard == ShardState::Transferring)?;
        match (part, asked) {
            (Transaction::Commit, Asked::Sent) if !self.admits(index, rules) => {
                self.pods[index].handover = None;
                self.stop(index);
            }
            (Transaction::Commit, Asked::Sent) => {
                if to.is_none_or(|to| self.is_live(to))
                    && self.owner == Some(index)
                    && self.epoch == pod.epoch
                {
                    (self.owner, self.epoch) = (to, self.epoch + 1);
                    self.pods[index].handover = Some((to, Asked::Committed));
                } else if pod.runs {
                    self.pods[index].handover = None;
                    self.pods[index].shard = ShardState::Owned;
                }
            }
            (Transaction::Answer, Asked::Committed) => {
                when(pod.runs)?;
                self.give(index, pod.epoch + 1);
            }
            (Transaction::LoseAnswer, Asked::Committed) => {
                when(pod.runs)?;
                self.left.lost_answers = self.left.lost_answers.checked_sub(1)?;
                self.pods[index].handover = Some((to, Asked::Unknown));
            }
            _ => return None,
        }
        Some(())
    }

    pub(crate) fn read_rows(&mut self, index: PodIndex, rules: &Rules) -> Option<()> {
        let pod = self.pods[index];
        when(pod.runs && matches!(pod.handover, Some((_, Asked::Unknown))))?;
        self.give(index, if rules.one_epoch_each { pod.epoch + 1 } else { self.epoch });
        Some(())
    }

    /// It owns nothing and is forgotten, with its journal.
    pub(crate) fn deregister(&mut self, index: PodIndex) -> Option<()> {
        let pod = &self.pods[index];
        let finished = pod.append.is_none() && pod.gathering.is_none() && pod.flushing.is_none();
        when(pod.runs && pod.shard == ShardState::Remote && finished)?;
        when(self.is_live(index) && self.owner != Some(index))?;
        self.left.deregistrations = self.left.deregistrations.checked_sub(1)?;
        self.forget(index);
        self.stop(index);
        Some(())
    }

    fn give(&mut self, index: PodIndex, epoch: u8) {
        let pod = &mut self.pods[index];
        pod.handover = None;
        pod.shard = ShardState::Remote;
        pod.epoch = epoch;
    }
}
