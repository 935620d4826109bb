//! What an owner does: it looks who owns, takes changes, appends, answers, and brings the tables after.

use super::{
    rules::Rules,
    state::{Append, Changes, Flush, Member, Phase, PodIndex, ShardState, State},
    steps::{Transaction, when},
};

impl State {
    pub(crate) fn join(&mut self, index: PodIndex) -> Option<()> {
        when(self.members[index] == Member::NotYet)?;
        self.members[index] = Member::Live;
        self.pods[index].runs = true;
        Some(())
    }

    /// The registry confirms what is here, or says that this incarnation is over. Where others' shards are is a hint for
    /// the way there, and not in the model.
    pub(crate) fn send_heartbeat(&mut self, index: PodIndex) -> Option<()> {
        when(self.pods[index].runs)?;
        if !self.is_live(index) {
            self.stop(index);
            return Some(());
        }
        self.pods[index].confirmed = true;
        self.apply(index, (self.owner, self.epoch));
        Some(())
    }

    /// The same, but the rows are applied later.
    pub(crate) fn read_late(&mut self, index: PodIndex) -> Option<()> {
        when(self.pods[index].runs && self.is_live(index) && self.pods[index].rows_read.is_none())?;
        self.left.late_rows = self.left.late_rows.checked_sub(1)?;
        self.pods[index].confirmed = true;
        self.pods[index].rows_read = Some((self.owner, self.epoch));
        Some(())
    }

    pub(crate) fn apply_late(&mut self, index: PodIndex) -> Option<()> {
        let rows_read = self.pods[index].rows_read.take()?;
        self.apply(index, rows_read);
        Some(())
    }

    /// The epochs tell which rows are older.
    fn apply(&mut self, index: PodIndex, (owner, epoch): (Option<PodIndex>, u8)) {
        let pod = &mut self.pods[index];
        match pod.shard {
            ShardState::Remote if owner == Some(index) && epoch > pod.epoch => {
                (pod.shard, pod.epoch) = (ShardState::Owned, epoch);
            }
            ShardState::Owned | ShardState::Draining if epoch > pod.epoch => self.stop(index),
            // What is being handed over is settled by who hands it over.
            ShardState::Remote | ShardState::Owned | ShardState::Draining | ShardState::Transferring => {}
        }
    }

    /// A new change, or one whose client asks again. It is decided on what is in memory, one at a time.
    pub(crate) fn accept(&mut self, index: PodIndex, change: u16, rules: &Rules) -> Option<()> {
        let again = self.unanswered & 1 << change != 0;
        let new = change == u16::from(self.asked) + 1 && change <= u16::from(self.left.changes);
        when(new || again)?;
        let pod = self.pods[index];
        when(pod.runs && pod.shard == ShardState::Owned && pod.append.is_none())?;
        when(pod.memory.is_some() || pod.loading.is_none())?;
        let memory = pod.memory.unwrap_or_else(|| self.load(index, rules));
        let version = memory.version() + 1;
        when(version <= Changes::VERSIONS)?;
        if new {
            self.asked += 1;
        }
        self.unanswered &= !(1 << change);
        self.pods[index].memory = Some(memory);
        // Its key is in the entity: this is the answer to what was done before.
        if let Some(version) = memory.version_of(change) {
            self.acknowledge(version, change);
            return Some(());
        }
        let snapshot = memory.with(version, change);
        self.pods[index].append = Some(Append { phase: Phase::Sent, snapshot });
        Some(())
    }

    fn acknowledge(&mut self, version: u8, change: u16) {
        let before = self.acknowledged.at(version);
        if before != 0 && before != change {
            self.wrong = Some("a fork: two changes are acknowledged at the same version");
        }
        self.acknowledged = self.acknowledged.with(version, change);
    }

    /// The entry in the journal, and then the answer to the client. What has no answer is sent again: it is the same entry.
    pub(crate) fn append(&mut self, index: PodIndex, part: Transaction, rules: &Rules) -> Option<()> {
        let append = self.pods[index].append?;
        let phase = self.transaction(index, append.phase, part, rules)?;
        self.pods[index].append = phase.map(|phase| Append { phase, ..append });
        let version = append.snapshot.version();
        let change = append.snapshot.at(version);
        match part {
            Transaction::Commit => self.journal[index] = self.journal[index].with(version, change),
            Transaction::Answer => {
                let pod = &mut self.pods[index];
                pod.gathering = Some(append.snapshot);
                pod.memory = pod.memory.map(|_| append.snapshot);
                self.acknowledge(version, change);
            }
            Transaction::LoseAnswer => {
                self.left.lost_answers = self.left.lost_answers.checked_sub(1)?;
            }
            // Refused: the process knows that it is over, and its client has no answer.
            Transaction::Begin if phase.is_none() => {
                self.unanswered |= 1 << change;
                self.stop(index);
            }
            Transaction::Begin | Transaction::Abort => {}
        }
        Some(())
    }

    /// One transaction's way: the phase after this part of it; `Some(None)` when it is over.
    fn transaction(
        &self,
        index: PodIndex,
        at: Phase,
        part: Transaction,
        rules: &Rules,
    ) -> Option<Option<Phase>> {
        let runs = self.pods[index].runs;
        match (part, at) {
            (Transaction::Begin, Phase::Sent) => Some(self.admits(index, rules).then_some(Phase::Admitted)),
            // Nobody reads the answer of a process that has gone.
            (Transaction::Commit, Phase::Admitted) => Some(runs.then_some(Phase::Committed)),
            (Transaction::Abort, Phase::Admitted) if !runs => Some(None),
            (Transaction::Answer, Phase::Committed) => Some(None),
            (Transaction::LoseAnswer, Phase::Committed) => Some(Some(Phase::Sent)),
            _ => None,
        }
    }

    /// It may last: others' rows go first, and rows ahead of their turn go between.
    pub(crate) fn begin_flush(&mut self, index: PodIndex) -> Option<()> {
        let pod = &mut self.pods[index];
        when(pod.flushing.is_none())?;
        let snapshot = pod.gathering.take()?;
        let watermark = Some(snapshot.version());
        pod.flushing = Some(Flush { phase: Phase::Sent, snapshot, watermark, awaited: false });
        Some(())
    }

    pub(crate) fn flush(&mut self, index: PodIndex, part: Transaction, rules: &Rules) -> Option<()> {
        let pod = &self.pods[index];
        when(pod.urgent.is_none() || part != Transaction::Begin)?;
        let flush = pod.flushing?;
        self.pods[index].flushing = self.written(index, flush, part, rules)?;
        Some(())
    }

    pub(crate) fn urgent(&mut self, index: PodIndex, part: Transaction, rules: &Rules) -> Option<()> {
        let pod = &self.pods[index];
        when(
            pod.flushing.is_none_or(|flushing| flushing.phase == Phase::Sent) || part != Transaction::Begin,
        )?;
        let flush = pod.urgent?;
        self.pods[index].urgent = self.written(index, flush, part, rules)?;
        self.pods[index].flushed |= part == Transaction::Answer && flush.awaited;
        Some(())
    }

    /// Rows and watermark in one transaction. A flush whose answer is lost is sent again as it is, which changes nothing.
    fn written(
        &mut self,
        index: PodIndex,
        flush: Flush,
        part: Transaction,
        rules: &Rules,
    ) -> Option<Option<Flush>> {
        when(part != Transaction::LoseAnswer)?;
        let phase = self.transaction(index, flush.phase, part, rules)?;
        if part == Transaction::Commit {
            self.write(flush.snapshot, rules);
            if let Some(watermark) = flush.watermark {
                self.watermark[index] = self.watermark[index].max(watermark);
            }
        }
        if part == Transaction::Begin && phase.is_none() {
            self.stop(index);
        }
        Some(phase.map(|phase| Flush { phase, ..flush }))
    }

    pub(crate) fn write(&mut self, snapshot: Changes, rules: &Rules) {
        if snapshot.version() > self.tables.version() || !rules.only_over_lower {
            self.tables = snapshot;
        }
    }

    /// An idle entity leaves memory, or its actor has failed: the next message loads it.
    pub(crate) fn leave_memory(&mut self, index: PodIndex) -> Option<()> {
        let pod = &mut self.pods[index];
        when(pod.append.is_none() && pod.shard == ShardState::Owned)?;
        pod.memory.take()?;
        self.left.reloads = self.left.reloads.checked_sub(1)?;
        Some(())
    }

    pub(crate) fn reader_enters(&mut self, index: PodIndex) -> Option<()> {
        let pod = &mut self.pods[index];
        when(
            pod.runs && matches!(pod.shard, ShardState::Owned | ShardState::Draining) && pod.memory.is_none(),
        )?;
        self.left.readers = self.left.readers.checked_sub(1)?;
        pod.reader = true;
        Some(())
    }

    /// Perhaps much later. A reader who finds that the shard has gone is sent after it.
    pub(crate) fn reader_loads(&mut self, index: PodIndex, rules: &Rules) -> Option<()> {
        let snapshot = self.load(index, rules);
        let pod = &mut self.pods[index];
        when(pod.reader && pod.memory.is_none())?;
        pod.reader = false;
        let here = matches!(pod.shard, ShardState::Owned | ShardState::Draining);
        pod.loading = (here || !rules.load_while_here).then_some(snapshot);
        Some(())
    }

    pub(crate) fn reader_inserts(&mut self, index: PodIndex) -> Option<()> {
        let pod = &mut self.pods[index];
        let snapshot = pod.loading.take()?;
        if matches!(pod.shard, ShardState::Owned | ShardState::Draining) && pod.memory.is_none() {
            pod.memory = Some(snapshot);
        }
        Some(())
    }
}
