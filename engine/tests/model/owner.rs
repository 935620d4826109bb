//! What an owner does: it looks who owns, takes changes, appends, answers, and brings the tables after.

use super::{
    rules::Rules,
    state::{Append, Book, Changes, Flush, Member, Phase, Place, State},
    steps::{Transaction, when},
};

impl State {
    pub(crate) fn join(&mut self, place: Place) -> Option<()> {
        when(self.members[place] == Member::NotYet)?;
        self.members[place] = Member::Live;
        self.pods[place].runs = true;
        Some(())
    }

    /// The registry confirms what is here, or says that this incarnation is over. Where others' shards are is a hint for
    /// the way there, and not in the model.
    pub(crate) fn heartbeat(&mut self, place: Place) -> Option<()> {
        when(self.pods[place].runs)?;
        if !self.is_live(place) {
            self.stop(place);
            return Some(());
        }
        self.pods[place].confirmed = true;
        self.believe(place, (self.owner, self.epoch));
        Some(())
    }

    /// The same, but the rows are believed later.
    pub(crate) fn read_late(&mut self, place: Place) -> Option<()> {
        when(self.pods[place].runs && self.is_live(place) && self.pods[place].news.is_none())?;
        self.left.late_news = self.left.late_news.checked_sub(1)?;
        self.pods[place].confirmed = true;
        self.pods[place].news = Some((self.owner, self.epoch));
        Some(())
    }

    pub(crate) fn believe_late(&mut self, place: Place) -> Option<()> {
        let news = self.pods[place].news.take()?;
        self.believe(place, news);
        Some(())
    }

    /// The epochs tell which news is older.
    fn believe(&mut self, place: Place, (owner, epoch): (Option<Place>, u8)) {
        let pod = &mut self.pods[place];
        match pod.book {
            Book::Remote if owner == Some(place) && epoch > pod.epoch => {
                (pod.book, pod.epoch) = (Book::Owned, epoch);
            }
            Book::Owned | Book::Draining if epoch > pod.epoch => self.stop(place),
            // What is being handed over is settled by who hands it over.
            Book::Remote | Book::Owned | Book::Draining | Book::Transferring => {}
        }
    }

    /// A new change, or one whose client asks again. It is decided on what is in memory, one at a time.
    pub(crate) fn accept(&mut self, place: Place, change: u16, rules: &Rules) -> Option<()> {
        let again = self.unanswered & 1 << change != 0;
        let new = change == u16::from(self.asked) + 1 && change <= u16::from(self.left.changes);
        when(new || again)?;
        let pod = self.pods[place];
        when(pod.runs && pod.book == Book::Owned && pod.append.is_none())?;
        when(pod.memory.is_some() || pod.loading.is_none())?;
        let memory = pod.memory.unwrap_or_else(|| self.load(place, rules));
        let version = memory.version() + 1;
        when(version <= Changes::VERSIONS)?;
        if new {
            self.asked += 1;
        }
        self.unanswered &= !(1 << change);
        self.pods[place].memory = Some(memory);
        // Its key is in the entity: this is the answer to what was done before.
        if let Some(version) = memory.version_of(change) {
            self.acknowledge(version, change);
            return Some(());
        }
        let image = memory.with(version, change);
        self.pods[place].append = Some(Append { phase: Phase::Sent, image });
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
    pub(crate) fn append(&mut self, place: Place, part: Transaction, rules: &Rules) -> Option<()> {
        let append = self.pods[place].append?;
        let phase = self.transaction(place, append.phase, part, rules)?;
        self.pods[place].append = phase.map(|phase| Append { phase, ..append });
        let version = append.image.version();
        let change = append.image.at(version);
        match part {
            Transaction::Commit => self.journal[place] = self.journal[place].with(version, change),
            Transaction::Answer => {
                let pod = &mut self.pods[place];
                pod.gathering = Some(append.image);
                pod.memory = pod.memory.map(|_| append.image);
                self.acknowledge(version, change);
            }
            Transaction::LoseAnswer => {
                self.left.lost_answers = self.left.lost_answers.checked_sub(1)?;
            }
            // Refused: the process knows that it is over, and its client has no answer.
            Transaction::Begin if phase.is_none() => {
                self.unanswered |= 1 << change;
                self.stop(place);
            }
            Transaction::Begin | Transaction::Abort => {}
        }
        Some(())
    }

    /// One transaction's way: the phase after this part of it; `Some(None)` when it is over.
    fn transaction(
        &self,
        place: Place,
        at: Phase,
        part: Transaction,
        rules: &Rules,
    ) -> Option<Option<Phase>> {
        let runs = self.pods[place].runs;
        match (part, at) {
            (Transaction::Begin, Phase::Sent) => Some(self.admits(place, rules).then_some(Phase::Admitted)),
            // Nobody reads the answer of a process that has gone.
            (Transaction::Commit, Phase::Admitted) => Some(runs.then_some(Phase::Committed)),
            (Transaction::Abort, Phase::Admitted) if !runs => Some(None),
            (Transaction::Answer, Phase::Committed) => Some(None),
            (Transaction::LoseAnswer, Phase::Committed) => Some(Some(Phase::Sent)),
            _ => None,
        }
    }

    /// It may last: others' rows go first, and rows ahead of their turn go between.
    pub(crate) fn begin_flush(&mut self, place: Place) -> Option<()> {
        let pod = &mut self.pods[place];
        when(pod.flushing.is_none())?;
        let image = pod.gathering.take()?;
        let watermark = Some(image.version());
        pod.flushing = Some(Flush { phase: Phase::Sent, image, watermark, awaited: false });
        Some(())
    }

    pub(crate) fn flush(&mut self, place: Place, part: Transaction, rules: &Rules) -> Option<()> {
        let pod = &self.pods[place];
        when(pod.urgent.is_none() || part != Transaction::Begin)?;
        let flush = pod.flushing?;
        self.pods[place].flushing = self.written(place, flush, part, rules)?;
        Some(())
    }

    pub(crate) fn urgent(&mut self, place: Place, part: Transaction, rules: &Rules) -> Option<()> {
        let pod = &self.pods[place];
        when(
            pod.flushing.is_none_or(|flushing| flushing.phase == Phase::Sent) || part != Transaction::Begin,
        )?;
        let flush = pod.urgent?;
        self.pods[place].urgent = self.written(place, flush, part, rules)?;
        self.pods[place].settled |= part == Transaction::Answer && flush.awaited;
        Some(())
    }

    /// Rows and watermark in one transaction. A flush whose answer is lost is sent again as it is, which changes nothing.
    fn written(
        &mut self,
        place: Place,
        flush: Flush,
        part: Transaction,
        rules: &Rules,
    ) -> Option<Option<Flush>> {
        when(part != Transaction::LoseAnswer)?;
        let phase = self.transaction(place, flush.phase, part, rules)?;
        if part == Transaction::Commit {
            self.write(flush.image, rules);
            if let Some(watermark) = flush.watermark {
                self.watermark[place] = self.watermark[place].max(watermark);
            }
        }
        if part == Transaction::Begin && phase.is_none() {
            self.stop(place);
        }
        Some(phase.map(|phase| Flush { phase, ..flush }))
    }

    pub(crate) fn write(&mut self, image: Changes, rules: &Rules) {
        if image.version() > self.tables.version() || !rules.only_over_lower {
            self.tables = image;
        }
    }

    /// An idle entity leaves memory, or its actor has failed: the next message loads it.
    pub(crate) fn leave_memory(&mut self, place: Place) -> Option<()> {
        let pod = &mut self.pods[place];
        when(pod.append.is_none() && pod.book == Book::Owned)?;
        pod.memory.take()?;
        self.left.reloads = self.left.reloads.checked_sub(1)?;
        Some(())
    }

    pub(crate) fn reader_enters(&mut self, place: Place) -> Option<()> {
        let pod = &mut self.pods[place];
        when(pod.runs && matches!(pod.book, Book::Owned | Book::Draining) && pod.memory.is_none())?;
        self.left.readers = self.left.readers.checked_sub(1)?;
        pod.reader = true;
        Some(())
    }

    /// Perhaps much later. A reader who finds that the shard has gone is sent after it.
    pub(crate) fn reader_loads(&mut self, place: Place, rules: &Rules) -> Option<()> {
        let image = self.load(place, rules);
        let pod = &mut self.pods[place];
        when(pod.reader && pod.memory.is_none())?;
        pod.reader = false;
        let here = matches!(pod.book, Book::Owned | Book::Draining);
        pod.loading = (here || !rules.load_while_here).then_some(image);
        Some(())
    }

    pub(crate) fn reader_inserts(&mut self, place: Place) -> Option<()> {
        let pod = &mut self.pods[place];
        let image = pod.loading.take()?;
        if matches!(pod.book, Book::Owned | Book::Draining) && pod.memory.is_none() {
            pod.memory = Some(image);
        }
        Some(())
    }
}
