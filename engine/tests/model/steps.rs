//! Everything that can happen next, in words. What each does is in `owner.rs`, `handover.rs` and `take_over.rs`.

use std::fmt;

use super::{
    rules::{Bounds, Rules},
    state::{PODS, PodIndex, State},
};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Transaction {
    /// It has the fence and looks whether it may write.
    Begin,
    Commit,
    /// Its process has gone, and it did not commit.
    Abort,
    Answer,
    LoseAnswer,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Step {
    Join(PodIndex),
    SendHeartbeat(PodIndex),
    ReadLate(PodIndex),
    ApplyLate(PodIndex),
    Accept(PodIndex, u16),
    Append(PodIndex, Transaction),
    BeginFlush(PodIndex),
    Flush(PodIndex, Transaction),
    Urgent(PodIndex, Transaction),
    ReaderEnters(PodIndex),
    ReaderLoads(PodIndex),
    ReaderInserts(PodIndex),
    LeaveMemory(PodIndex),
    Close(PodIndex, Option<PodIndex>),
    Reopen(PodIndex),
    FlushShard(PodIndex),
    Clear(PodIndex),
    WriteOwner(PodIndex, Transaction),
    ReadRows(PodIndex),
    Deregister(PodIndex),
    Crash(PodIndex),
    FallSilent(PodIndex),
    DeclareDead(PodIndex),
    ReadJournal(PodIndex, PodIndex),
    FinishJournal(PodIndex),
    Reassign(PodIndex, Option<PodIndex>),
    ReassignEarly(PodIndex, PodIndex),
    BeginClaim(PodIndex),
    EndClaim(PodIndex),
}

impl Step {
    /// All steps that there can be within the bounds.
    pub(crate) fn all(bounds: &Bounds) -> Vec<Self> {
        use Step::*;
        use Transaction::*;
        let mut steps = Vec::new();
        let mut may = |allowed: bool, some: &[Self]| steps.extend(some.iter().filter(|_| allowed));
        let (moves, deaths) = (bounds.handovers > 0, bounds.crashes + bounds.silences > 0);
        for pod in 0..PODS {
            may(true, &[SendHeartbeat(pod), BeginFlush(pod)]);
            may(bounds.late_rows > 0, &[ReadLate(pod), ApplyLate(pod)]);
            may(bounds.readers > 0, &[ReaderEnters(pod), ReaderLoads(pod), ReaderInserts(pod)]);
            may(bounds.reloads > 0, &[LeaveMemory(pod)]);
            may(
                moves,
                &[Close(pod, None), Reopen(pod), FlushShard(pod), Clear(pod), ReadRows(pod), Deregister(pod)],
            );
            may(deaths, &[Crash(pod), FallSilent(pod), DeclareDead(pod), FinishJournal(pod)]);
            // To keep the other searches small.
            may(bounds.crashes > 0, &[Reassign(pod, None)]);
            may(bounds.new_fleet, &[Join(pod)]);
            may(true, &[BeginClaim(pod), EndClaim(pod)]);
            for change in 1..=u16::from(bounds.changes) {
                may(true, &[Accept(pod, change)]);
            }
            for part in [Begin, Commit, Abort, Answer, LoseAnswer] {
                may(true, &[Append(pod, part), Flush(pod, part)]);
                may(moves, &[Urgent(pod, part), WriteOwner(pod, part)]);
            }
            for other in 0..PODS {
                may(moves, &[Close(pod, Some(other))]);
                may(
                    deaths,
                    &[ReadJournal(pod, other), Reassign(pod, Some(other)), ReassignEarly(pod, other)],
                );
            }
        }
        steps
    }

    /// The state after it; nothing where it cannot happen.
    pub(crate) fn after(self, state: &State, rules: &Rules) -> Option<State> {
        let mut next = *state;
        match self {
            Self::Join(pod) => next.join(pod),
            Self::SendHeartbeat(pod) => next.send_heartbeat(pod),
            Self::ReadLate(pod) => next.read_late(pod),
            Self::ApplyLate(pod) => next.apply_late(pod),
            Self::Accept(pod, change) => next.accept(pod, change, rules),
            Self::Append(pod, part) => next.append(pod, part, rules),
            Self::BeginFlush(pod) => next.begin_flush(pod),
            Self::Flush(pod, part) => next.flush(pod, part, rules),
            Self::Urgent(pod, part) => next.urgent(pod, part, rules),
            Self::ReaderEnters(pod) => next.reader_enters(pod),
            Self::ReaderLoads(pod) => next.reader_loads(pod, rules),
            Self::ReaderInserts(pod) => next.reader_inserts(pod),
            Self::LeaveMemory(pod) => next.leave_memory(pod),
            Self::Close(pod, to) => next.close(pod, to),
            Self::Reopen(pod) => next.reopen(pod),
            Self::FlushShard(pod) => next.flush_shard(pod, rules),
            Self::Clear(pod) => next.clear(pod),
            Self::WriteOwner(pod, part) => next.write_owner(pod, part, rules),
            Self::ReadRows(pod) => next.read_rows(pod, rules),
            Self::Deregister(pod) => next.deregister(pod),
            Self::Crash(pod) => next.crash(pod),
            Self::FallSilent(pod) => next.fall_silent(pod),
            Self::DeclareDead(pod) => next.declare_dead(pod, rules),
            Self::ReadJournal(pod, dead) => next.read_journal(pod, dead),
            Self::FinishJournal(pod) => next.finish_journal(pod, rules),
            Self::Reassign(pod, to) => next.reassign(pod, to),
            Self::ReassignEarly(dead, to) => next.reassign_early(dead, to, rules),
            Self::BeginClaim(pod) => next.begin_claim(pod),
            Self::EndClaim(pod) => next.end_claim(pod, rules),
        }?;
        (next != *state).then_some(next)
    }

    /// Its kind, whoever does it.
    pub(crate) fn kind(self) -> String {
        let words = format!("{self:?}");
        words.split(['(', ',']).next().unwrap_or_default().to_owned()
    }
}

/// A condition of a step.
pub(crate) fn when(condition: bool) -> Option<()> {
    condition.then_some(())
}

fn name(pod: PodIndex) -> char {
    ['A', 'B', 'C'][pod]
}

fn words(what: &str, part: Transaction) -> String {
    match part {
        Transaction::Begin => format!("{what} gets the fence, and looks whether it may write"),
        Transaction::Commit => format!("{what} commits"),
        Transaction::Abort => format!("{what} is rolled back"),
        Transaction::Answer => format!("{what} is answered"),
        Transaction::LoseAnswer => format!("{what} is done, but its answer is lost; it is sent again"),
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Join(pod) => write!(f, "{} joins", name(pod)),
            Self::SendHeartbeat(pod) => write!(f, "{} sends a heartbeat and reads the registry", name(pod)),
            Self::ReadLate(pod) => {
                write!(f, "{} sends a heartbeat and reads the registry, but is slow", name(pod))
            }
            Self::ApplyLate(pod) => write!(f, "{} applies what it has read", name(pod)),
            Self::Accept(pod, change) => {
                write!(f, "{} takes change {change} and sends what must be written", name(pod))
            }
            Self::Append(pod, part) => f.write_str(&words(&format!("{}'s append", name(pod)), part)),
            Self::BeginFlush(pod) => write!(f, "{} begins a flush of what has gathered", name(pod)),
            Self::Flush(pod, part) => f.write_str(&words(&format!("{}'s flush", name(pod)), part)),
            Self::Urgent(pod, part) => f.write_str(&words(&format!("{}'s urgent flush", name(pod)), part)),
            Self::ReaderEnters(pod) => write!(f, "{} lets a reader in, who has still to load", name(pod)),
            Self::ReaderLoads(pod) => write!(f, "{} loads from the tables for a reader", name(pod)),
            Self::ReaderInserts(pod) => write!(f, "{} keeps what it loaded for the reader", name(pod)),
            Self::LeaveMemory(pod) => write!(f, "the entity leaves {}'s memory", name(pod)),
            Self::Close(pod, Some(to)) => {
                write!(f, "{} closes the shard, to hand it to {}", name(pod), name(to))
            }
            Self::Close(pod, None) => write!(f, "{} closes the shard, to leave it to nobody", name(pod)),
            Self::Reopen(pod) => write!(f, "{}: the handover is given up; it opens again", name(pod)),
            Self::FlushShard(pod) => write!(f, "{}: nobody is inside; what waits is written now", name(pod)),
            Self::Clear(pod) => {
                write!(f, "{} forgets the shard's entities, asks for the new owner", name(pod))
            }
            Self::WriteOwner(pod, part) => f.write_str(&words(&format!("{}'s handover", name(pod)), part)),
            Self::ReadRows(pod) => write!(f, "{} reads from the rows what its handover did", name(pod)),
            Self::Deregister(pod) => write!(f, "{} owns nothing, and goes", name(pod)),
            Self::Crash(pod) => write!(f, "{} crashes", name(pod)),
            Self::FallSilent(pod) => write!(f, "{} lives, but is silent for too long", name(pod)),
            Self::DeclareDead(pod) => write!(f, "{} is declared dead", name(pod)),
            Self::ReadJournal(pod, dead) => {
                write!(f, "{} reads {}'s journal past its watermark", name(pod), name(dead))
            }
            Self::FinishJournal(pod) => write!(f, "{} writes to the tables what it read there", name(pod)),
            Self::Reassign(pod, Some(to)) => {
                write!(f, "{} reassigns the dead one's shard to {}", name(pod), name(to))
            }
            Self::Reassign(pod, None) => write!(f, "{} leaves the dead one's shard without owner", name(pod)),
            Self::ReassignEarly(dead, to) => {
                write!(f, "dead {}'s shard is reassigned to {} at once", name(dead), name(to))
            }
            Self::BeginClaim(pod) => write!(f, "{} claims the shard and waits for its row", name(pod)),
            Self::EndClaim(pod) => {
                write!(f, "{} has the row, and writes its name if the shard is free", name(pod))
            }
        }
    }
}
