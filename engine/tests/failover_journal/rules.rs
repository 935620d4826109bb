//! The rules of a journal in Redis, each of which can be left out.

#[derive(Clone, Copy)]
pub(crate) struct Rules {
    /// What is answered is in a journal.
    pub(crate) append_before_answer: bool,
    /// A pod reads in its row that it lives before a connection to Redis acknowledges anything.
    pub(crate) read_row: bool,
    /// It does so after it has connected.
    pub(crate) read_row_after_connecting: bool,
    /// Before it acknowledges over a new connection, Redis has what the tables have not got.
    pub(crate) publish_again: bool,
    /// A place begins when all that the tables have not got is in memory: where copies were dropped, the tables come first.
    pub(crate) wait_for_tables: bool,
    /// Whoever acknowledges in Redis has said so in its row.
    pub(crate) row_says_redis: bool,
    /// The row says that Redis is not needed only when PostgreSQL has what the tables have not got.
    pub(crate) copy_before_saying: bool,
    /// Nothing is answered from Redis any more when the journal goes over to PostgreSQL.
    pub(crate) stop_before_moving: bool,
    /// Whoever finishes a dead pod's journal seals it in Redis.
    pub(crate) seal: bool,
    /// It reads how far the journal goes when it is sealed.
    pub(crate) read_after_sealing: bool,
    /// It waits for a Redis that does not answer.
    pub(crate) wait_for_redis: bool,
    /// Without PostgreSQL, readers are answered only while Redis says that the pod is not sealed.
    pub(crate) ask_for_the_seal: bool,
    /// Nobody else serves the shards before those readers' answer has lapsed.
    pub(crate) wait_after_sealing: bool,
}

pub(crate) const ALL: Rules = Rules {
    append_before_answer: true,
    read_row: true,
    read_row_after_connecting: true,
    publish_again: true,
    wait_for_tables: true,
    row_says_redis: true,
    copy_before_saying: true,
    stop_before_moving: true,
    seal: true,
    read_after_sealing: true,
    wait_for_redis: true,
    ask_for_the_seal: true,
    wait_after_sealing: true,
};

/// How often things happen at most.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Bounds {
    pub(crate) changes: u8,
    /// Connections that break though nothing has failed.
    pub(crate) breaks: u8,
    /// Redis is away and comes back as it was.
    pub(crate) outages: u8,
    /// Redis comes back as its replica was.
    pub(crate) fail_overs: u8,
    /// The pod cannot reach PostgreSQL for a while; others may.
    pub(crate) cuts: u8,
    /// Memory is short, and copies of what the journal has are dropped.
    pub(crate) drops: u8,
    pub(crate) crashes: u8,
    /// It is declared dead, rightly or not.
    pub(crate) deaths: u8,
    /// Who finishes the dead one's journal dies on the way, and another begins anew.
    pub(crate) more_takers: u8,
}
