//! Giving a shard away on purpose: close, wait for those inside, write what waits, forget, and then the new owner's name.

use super::{
    rules::Rules,
    state::{Asked, Book, Flush, Phase, Place, State},
    steps::{Transaction, when},
};

impl State {
    /// To another pod, or to nobody, when the last one goes.
    pub(crate) fn close(&mut self, place: Place, to: Option<Place>) -> Option<()> {
        let pod = &mut self.pods[place];
        when(pod.runs && pod.book == Book::Owned && to != Some(place))?;
        when(to.is_some() || self.left.partings > 0)?;
        self.left.handovers = self.left.handovers.checked_sub(1)?;
        pod.book = Book::Draining;
        pod.settled = false;
        pod.handover = Some((to, Asked::Sent));
        Some(())
    }

    /// It is given up before the registry was asked: those inside do not finish in time, the tables do not answer, or
    /// whoever wanted it has gone. What it wanted written is on its way still, but nothing waits for it any more.
    pub(crate) fn reopen(&mut self, place: Place) -> Option<()> {
        let pod = &mut self.pods[place];
        when(pod.runs && pod.book == Book::Draining)?;
        pod.book = Book::Owned;
        pod.settled = false;
        pod.handover = None;
        if let Some(urgent) = &mut pod.urgent {
            urgent.awaited = false;
        }
        Some(())
    }

    pub(crate) fn settle(&mut self, place: Place, rules: &Rules) -> Option<()> {
        let pod = &mut self.pods[place];
        when(pod.runs && pod.book == Book::Draining && !pod.settled && pod.urgent.is_none())?;
        when(pod.append.is_none() || !rules.drain)?;
        // What belongs to a flush that has begun stays in it, too.
        match pod.gathering.take().or(pod.flushing.map(|flushing| flushing.image)) {
            Some(image) if rules.flush_before_handover => {
                pod.urgent = Some(Flush { phase: Phase::Sent, image, watermark: None, awaited: true });
            }
            waiting => {
                pod.gathering = waiting.filter(|_| pod.flushing.is_none());
                pod.settled = true;
            }
        }
        Some(())
    }

    /// A load in progress ends first.
    pub(crate) fn clear(&mut self, place: Place) -> Option<()> {
        let pod = &mut self.pods[place];
        when(pod.book == Book::Draining && pod.settled && pod.loading.is_none())?;
        pod.book = Book::Transferring;
        pod.settled = false;
        pod.memory = None;
        Some(())
    }

    /// One transaction: fenced, only while the new owner is live, only at the epoch that is given away.
    pub(crate) fn write_owner(&mut self, place: Place, part: Transaction, rules: &Rules) -> Option<()> {
        let pod = self.pods[place];
        let (to, asked) = pod.handover.filter(|_| pod.book == Book::Transferring)?;
        match (part, asked) {
            (Transaction::Commit, Asked::Sent) if !self.admits(place, rules) => {
                self.pods[place].handover = None;
                self.stop(place);
            }
            (Transaction::Commit, Asked::Sent) => {
                if to.is_none_or(|to| self.is_live(to))
                    && self.owner == Some(place)
                    && self.epoch == pod.epoch
                {
                    (self.owner, self.epoch) = (to, self.epoch + 1);
                    self.pods[place].handover = Some((to, Asked::Committed));
                } else if pod.runs {
                    self.pods[place].handover = None;
                    self.pods[place].book = Book::Owned;
                }
            }
            (Transaction::Answer, Asked::Committed) => {
                when(pod.runs)?;
                self.give(place, pod.epoch + 1);
            }
            (Transaction::LoseAnswer, Asked::Committed) => {
                when(pod.runs)?;
                self.left.lost_answers = self.left.lost_answers.checked_sub(1)?;
                self.pods[place].handover = Some((to, Asked::Unknown));
            }
            _ => return None,
        }
        Some(())
    }

    pub(crate) fn read_rows(&mut self, place: Place, rules: &Rules) -> Option<()> {
        let pod = self.pods[place];
        when(pod.runs && matches!(pod.handover, Some((_, Asked::Unknown))))?;
        self.give(place, if rules.one_epoch_each { pod.epoch + 1 } else { self.epoch });
        Some(())
    }

    /// It owns nothing and is forgotten, with its journal.
    pub(crate) fn deregister(&mut self, place: Place) -> Option<()> {
        let pod = &self.pods[place];
        let finished = pod.append.is_none() && pod.gathering.is_none() && pod.flushing.is_none();
        when(pod.runs && pod.book == Book::Remote && finished)?;
        when(self.is_live(place) && self.owner != Some(place))?;
        self.left.partings = self.left.partings.checked_sub(1)?;
        self.forget(place);
        self.stop(place);
        Some(())
    }

    fn give(&mut self, place: Place, epoch: u8) {
        let pod = &mut self.pods[place];
        pod.handover = None;
        pod.book = Book::Remote;
        pod.epoch = epoch;
    }
}
