//! The protocol's rules, each of which can be left out, and how far a search goes.

/// What the protocol promises to do. The model without one of them must go wrong: that is what each is for.
#[derive(Clone, Copy)]
pub(crate) struct Rules {
    /// A transaction of an incarnation begins with a look at its member row: only who may write writes.
    pub(crate) fence: bool,
    /// Whoever declares an incarnation dead waits for its transactions that have had their look.
    pub(crate) wait_for_in_flight: bool,
    /// The dead one's journal is in the tables before its shard is reassigned.
    pub(crate) finish_first: bool,
    /// A shard is handed over when those inside have their answers.
    pub(crate) drain: bool,
    /// A shard is handed over when the tables have all of it.
    pub(crate) flush_before_handover: bool,
    /// A snapshot is written only over a lower version.
    pub(crate) only_over_lower: bool,
    /// Whoever takes a shard that nobody owns looks at members and row as they are when it has the row's lock, not as
    /// they were when it began to wait.
    pub(crate) claim_looks_again: bool,
    /// A load from the tables begins only while the shard is here, and the shard does not leave before it ends.
    pub(crate) load_while_here: bool,
    /// What the write-behind still has in memory does not hide a newer snapshot in the tables.
    pub(crate) tables_may_be_newer: bool,
    /// A handover whose answer was lost raised the epoch by one, whatever the rows have become since.
    pub(crate) one_epoch_each: bool,
    /// Readers, and whoever changes nothing, are answered only while ownership is confirmed.
    pub(crate) confirmed_answers: bool,
    /// Nobody is declared dead while it may still believe that its ownership is confirmed.
    pub(crate) patience: bool,
}

pub(crate) const ALL: Rules = Rules {
    fence: true,
    wait_for_in_flight: true,
    finish_first: true,
    drain: true,
    flush_before_handover: true,
    only_over_lower: true,
    claim_looks_again: true,
    load_while_here: true,
    tables_may_be_newer: true,
    one_epoch_each: true,
    confirmed_answers: true,
    patience: true,
};

/// How often things happen at most; what is left of it is a part of each state.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Bounds {
    /// Different changes that clients ask for.
    pub(crate) changes: u8,
    pub(crate) crashes: u8,
    /// A pod that lives falls silent for long enough to be suspected: paused, cut off, or slow.
    pub(crate) silences: u8,
    pub(crate) handovers: u8,
    pub(crate) lost_answers: u8,
    /// What a pod has read in the registry reaches its shard map later.
    pub(crate) late_rows: u8,
    /// Loads for a reader, who is not counted among those inside.
    pub(crate) readers: u8,
    /// An entity leaves its owner's memory.
    pub(crate) reloads: u8,
    /// A pod that owns nothing deregisters.
    pub(crate) deregistrations: u8,
    /// A new fleet: nobody owns the shard, and the third pod has not joined. Otherwise A owns it and all are there.
    pub(crate) new_fleet: bool,
}
