//! One lane of pod A's journal, in Redis and in PostgreSQL; and B, who finishes it when A is declared dead, or C after it.

use super::rules::{Bounds, Rules};

/// Entries after `base`, up to `last`, without gaps.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct Range {
    pub(crate) base: u8,
    pub(crate) last: u8,
}

impl Range {
    /// The tables have everything up to `base`.
    pub(crate) fn begin_after(&mut self, base: u8) {
        self.base = self.base.max(base);
        self.last = self.last.max(base);
    }

    pub(crate) const fn has(self, entry: u8) -> bool {
        self.base < entry && entry <= self.last
    }

    /// Whether it has the entry afterwards.
    pub(crate) const fn append(&mut self, entry: u8) -> bool {
        if entry == self.last + 1 {
            self.last = entry;
        }
        entry <= self.last
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct Redis {
    pub(crate) entries: Range,
    pub(crate) sealed: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Member {
    Live,
    Dead,
    /// The tables have its journal, and others have its shards.
    Finished,
}

/// What A's row says of its journal.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Row {
    Redis,
    Postgres,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Place {
    Nowhere,
    Redis,
    Postgres,
}

/// A's entry under way.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Append {
    Sent(Place),
    /// Its answer is on the way back.
    Written(Place),
}

impl Append {
    pub(crate) const fn place(self) -> Place {
        match self {
            Self::Sent(place) | Self::Written(place) => place,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct State {
    pub(crate) redis: Redis,
    /// What Redis will have when it fails over.
    pub(crate) replica: Redis,
    pub(crate) redis_up: bool,
    pub(crate) postgres: Range,
    pub(crate) tables: u8,
    pub(crate) member: Member,
    pub(crate) row: Option<Row>,
    // Pod A.
    pub(crate) runs: bool,
    pub(crate) reaches_postgres: bool,
    pub(crate) acknowledged: u8,
    /// The last entry that it has sent, again and again until it knows.
    pub(crate) sent: u8,
    pub(crate) append: Option<Append>,
    /// Sent over a connection that broke: it may arrive yet.
    pub(crate) late: Option<u8>,
    /// What is in its memory begins after this: the tables have the rest, or copies were dropped.
    pub(crate) kept_after: u8,
    pub(crate) connected: bool,
    /// It has read in its row that it lives.
    pub(crate) checked: bool,
    pub(crate) place: Place,
    /// Its readers go by what Redis said of the seal.
    pub(crate) confirmed: bool,
    /// On the way to PostgreSQL.
    pub(crate) copied: bool,
    pub(crate) said: bool,
    // Pod B, or whoever begins anew when B has died.
    pub(crate) sealed: bool,
    /// How far it has read the dead one's journal.
    pub(crate) found: Option<u8>,
    /// Redis lacks something acknowledged that A has not written again.
    pub(crate) forgot: bool,
    /// It forgot, and A was dead before it could write it again: that loss is stated openly.
    pub(crate) excused: bool,
    pub(crate) wrong: Option<&'static str>,
    pub(crate) left: Bounds,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Step {
    Send,
    RedisTakes,
    RedisTakesLate,
    PostgresTakes,
    Answer,
    AskForTheSeal,
    NoLongerGoByIt,
    AnswerReader,
    Flush,
    DropCopies,
    BreakConnection,
    Connect,
    ReadRow,
    Publish,
    CopyToPostgres,
    SayPostgres,
    StayInPostgres,
    RedisGoes,
    RedisComes,
    ReplicaFollows,
    FailOver,
    CutFromPostgres,
    ReachPostgres,
    Crash,
    DeclareDead,
    Seal,
    ReadJournal,
    Finish,
    TakerDies,
}

impl Step {
    pub(crate) const ALL: [Self; 29] = [
        Self::Send,
        Self::RedisTakes,
        Self::RedisTakesLate,
        Self::PostgresTakes,
        Self::Answer,
        Self::AskForTheSeal,
        Self::NoLongerGoByIt,
        Self::AnswerReader,
        Self::Flush,
        Self::DropCopies,
        Self::BreakConnection,
        Self::Connect,
        Self::ReadRow,
        Self::Publish,
        Self::CopyToPostgres,
        Self::SayPostgres,
        Self::StayInPostgres,
        Self::RedisGoes,
        Self::RedisComes,
        Self::ReplicaFollows,
        Self::FailOver,
        Self::CutFromPostgres,
        Self::ReachPostgres,
        Self::Crash,
        Self::DeclareDead,
        Self::Seal,
        Self::ReadJournal,
        Self::Finish,
        Self::TakerDies,
    ];
}

fn when(holds: bool) -> Option<()> {
    holds.then_some(())
}

fn once_less(left: &mut u8) -> Option<()> {
    *left = left.checked_sub(1)?;
    Some(())
}

impl State {
    pub(crate) fn first(bounds: Bounds) -> Self {
        Self {
            redis: Redis::default(),
            replica: Redis::default(),
            redis_up: true,
            postgres: Range::default(),
            tables: 0,
            member: Member::Live,
            row: None,
            runs: true,
            reaches_postgres: true,
            acknowledged: 0,
            sent: 0,
            append: None,
            late: None,
            kept_after: 0,
            connected: false,
            checked: false,
            place: Place::Nowhere,
            confirmed: false,
            copied: false,
            said: false,
            sealed: false,
            found: None,
            forgot: false,
            excused: false,
            wrong: None,
            left: bounds,
        }
    }

    pub(crate) fn after(mut self, step: Step, rules: &Rules) -> Option<Self> {
        match step {
            Step::Send => self.send(),
            Step::RedisTakes => self.redis_takes(),
            Step::RedisTakesLate => self.redis_takes_late(),
            Step::PostgresTakes => self.postgres_takes(),
            Step::Answer => self.answer(rules),
            Step::AskForTheSeal => self.ask_for_the_seal(rules),
            Step::NoLongerGoByIt => {
                when(self.confirmed)?;
                self.confirmed = false;
                Some(())
            }
            Step::AnswerReader => {
                when(self.runs && self.confirmed && self.member == Member::Finished)?;
                self.wrong = Some("a reader is answered by who owns nothing any more");
                Some(())
            }
            Step::Flush => self.flush(),
            Step::DropCopies => {
                when(self.runs && self.kept_after < self.acknowledged)?;
                once_less(&mut self.left.drops)?;
                self.kept_after = self.acknowledged;
                Some(())
            }
            Step::BreakConnection => {
                when(self.connected)?;
                once_less(&mut self.left.breaks)?;
                self.late = matches!(self.append, Some(Append::Sent(Place::Redis))).then_some(self.sent);
                self.disconnect();
                Some(())
            }
            Step::Connect => self.connect(rules),
            Step::ReadRow => self.read_row(rules),
            Step::Publish => self.publish(rules),
            Step::CopyToPostgres => self.copy_to_postgres(rules),
            Step::SayPostgres => self.say_postgres(rules),
            Step::StayInPostgres => self.stay_in_postgres(),
            Step::RedisGoes => {
                when(self.redis_up)?;
                once_less(&mut self.left.outages)?;
                self.redis_up = false;
                self.disconnect();
                Some(())
            }
            Step::RedisComes => {
                when(!self.redis_up)?;
                self.redis_up = true;
                Some(())
            }
            Step::ReplicaFollows => {
                when(self.left.fail_overs > 0 && self.redis_up && self.replica != self.redis)?;
                self.replica = self.redis;
                Some(())
            }
            Step::FailOver => self.fail_over(),
            Step::CutFromPostgres => {
                when(self.reaches_postgres)?;
                once_less(&mut self.left.cuts)?;
                self.reaches_postgres = false;
                Some(())
            }
            Step::ReachPostgres => {
                when(!self.reaches_postgres)?;
                self.reaches_postgres = true;
                Some(())
            }
            Step::Crash => {
                when(self.runs)?;
                once_less(&mut self.left.crashes)?;
                self.stop();
                Some(())
            }
            Step::DeclareDead => {
                when(self.member == Member::Live)?;
                once_less(&mut self.left.deaths)?;
                self.member = Member::Dead;
                self.excused |= self.forgot;
                Some(())
            }
            Step::Seal => self.seal(rules),
            Step::ReadJournal => self.read_journal(rules),
            Step::Finish => self.finish(rules),
            Step::TakerDies => {
                when(self.member == Member::Dead && self.sealed)?;
                once_less(&mut self.left.more_takers)?;
                (self.sealed, self.found) = (false, None);
                Some(())
            }
        }?;
        Some(self)
    }

    /// The process ends.
    fn stop(&mut self) {
        self.runs = false;
        self.excused |= self.forgot;
        self.disconnect();
        self.append = None;
        (self.place, self.copied, self.said, self.confirmed) = (Place::Nowhere, false, false, false);
    }

    fn disconnect(&mut self) {
        self.connected = false;
        if self.place == Place::Redis {
            self.place = Place::Nowhere;
        }
        self.append = self.append.filter(|append| append.place() != Place::Redis);
    }

    /// Whether PostgreSQL lets A write; who hears that it may not ends.
    fn may_write(&mut self) -> Option<bool> {
        when(self.runs && self.reaches_postgres)?;
        if self.member == Member::Live {
            return Some(true);
        }
        self.stop();
        Some(false)
    }

    fn send(&mut self) -> Option<()> {
        when(self.runs && self.append.is_none() && self.place != Place::Nowhere)?;
        if self.sent == self.acknowledged {
            once_less(&mut self.left.changes)?;
            self.sent += 1;
        }
        self.append = Some(Append::Sent(self.place));
        Some(())
    }

    fn redis_takes(&mut self) -> Option<()> {
        when(self.append == Some(Append::Sent(Place::Redis)) && self.connected)?;
        if self.redis.sealed {
            self.stop();
        } else if self.redis.entries.append(self.sent) {
            self.append = Some(Append::Written(Place::Redis));
        } else {
            self.disconnect();
        }
        Some(())
    }

    fn redis_takes_late(&mut self) -> Option<()> {
        let late = self.late.take()?;
        when(self.redis_up)?;
        if !self.redis.sealed {
            self.redis.entries.append(late);
        }
        Some(())
    }

    fn postgres_takes(&mut self) -> Option<()> {
        when(self.append == Some(Append::Sent(Place::Postgres)))?;
        if self.may_write()? && self.postgres.append(self.sent) {
            self.append = Some(Append::Written(Place::Postgres));
        }
        Some(())
    }

    fn answer(&mut self, rules: &Rules) -> Option<()> {
        when(matches!(self.append?, Append::Written(_)) || !rules.append_before_answer)?;
        self.append = None;
        self.acknowledged = self.sent;
        if self.member == Member::Finished && self.acknowledged > self.tables {
            self.wrong = Some("a change is acknowledged by who owns nothing any more");
        }
        Some(())
    }

    /// Without PostgreSQL it answers readers for a while after Redis has said that it is not sealed.
    fn ask_for_the_seal(&mut self, rules: &Rules) -> Option<()> {
        when(self.runs && self.place == Place::Redis && self.connected && !self.confirmed)?;
        when(!self.redis.sealed || !rules.ask_for_the_seal)?;
        self.confirmed = true;
        Some(())
    }

    fn flush(&mut self) -> Option<()> {
        when(self.tables < self.acknowledged)?;
        if self.may_write()? {
            // What waits for the tables is in memory by entities, whatever copies there are.
            self.tables = self.acknowledged;
            self.kept_after = self.tables;
        }
        Some(())
    }

    fn connect(&mut self, rules: &Rules) -> Option<()> {
        when(self.runs && self.redis_up && !self.connected && !self.copied && !self.said)?;
        self.connected = true;
        if rules.read_row_after_connecting {
            self.checked = false;
        }
        Some(())
    }

    fn read_row(&mut self, rules: &Rules) -> Option<()> {
        when(self.connected || !rules.read_row_after_connecting)?;
        when(!self.checked && self.place != Place::Redis)?;
        if self.may_write()? {
            self.checked = true;
            if rules.row_says_redis {
                self.row = Some(Row::Redis);
            }
        }
        Some(())
    }

    fn publish(&mut self, rules: &Rules) -> Option<()> {
        when(self.runs && self.connected && self.place != Place::Redis && self.append.is_none())?;
        when(self.checked || !rules.read_row)?;
        when(self.kept_after <= self.tables || !rules.wait_for_tables)?;
        if self.redis.sealed {
            self.stop();
            return Some(());
        }
        if rules.publish_again {
            self.redis.entries.begin_after(self.kept_after);
            self.redis.entries.last = self.redis.entries.last.max(self.sent);
        } else if self.redis.entries.last < self.acknowledged {
            // It goes on after what is missing.
            self.redis.entries.begin_after(self.acknowledged);
        }
        self.place = Place::Redis;
        self.forgot = false;
        Some(())
    }

    fn copy_to_postgres(&mut self, rules: &Rules) -> Option<()> {
        when(self.runs && !self.copied && self.place != Place::Postgres)?;
        when(!self.connected || !rules.stop_before_moving)?;
        when(self.kept_after <= self.tables || !rules.wait_for_tables)?;
        if self.may_write()? {
            self.postgres.begin_after(self.kept_after);
            self.postgres.last = self.postgres.last.max(self.sent);
            self.copied = true;
            self.arrive(rules);
        }
        Some(())
    }

    fn say_postgres(&mut self, rules: &Rules) -> Option<()> {
        when(self.runs && !self.said && self.place != Place::Postgres)?;
        when(!self.connected || !rules.stop_before_moving)?;
        when(self.copied || !rules.copy_before_saying)?;
        if self.may_write()? {
            self.row = Some(Row::Postgres);
            self.said = true;
            self.arrive(rules);
        }
        Some(())
    }

    fn arrive(&mut self, rules: &Rules) {
        if self.copied && self.said {
            (self.copied, self.said, self.forgot) = (false, false, false);
            // Without the rule, what was sent to Redis meanwhile is answered from there all the same.
            if rules.stop_before_moving || self.append.is_none() {
                self.place = Place::Postgres;
            }
            self.checked = false;
        }
    }

    /// The way back has failed: everything is in PostgreSQL still.
    fn stay_in_postgres(&mut self) -> Option<()> {
        when(self.place == Place::Postgres && !self.connected && self.row == Some(Row::Redis))?;
        if self.may_write()? {
            self.row = Some(Row::Postgres);
            self.checked = false;
        }
        Some(())
    }

    fn fail_over(&mut self) -> Option<()> {
        when(self.redis_up && self.redis != self.replica)?;
        once_less(&mut self.left.fail_overs)?;
        let forgets = self.replica.entries.last < self.redis.entries.last;
        self.forgot |= forgets && self.row == Some(Row::Redis) && self.place != Place::Postgres;
        self.excused |= forgets && (!self.runs || self.member != Member::Live);
        self.redis = self.replica;
        self.late = None;
        self.disconnect();
        Some(())
    }

    fn seal(&mut self, rules: &Rules) -> Option<()> {
        when(self.member == Member::Dead && !self.sealed)?;
        if self.row == Some(Row::Redis) {
            when(self.redis_up || !rules.wait_for_redis)?;
            if rules.seal && self.redis_up {
                self.redis.sealed = true;
            }
        }
        self.sealed = true;
        Some(())
    }

    fn read_journal(&mut self, rules: &Rules) -> Option<()> {
        when(self.member == Member::Dead && self.found.is_none())?;
        when(self.sealed || !rules.read_after_sealing)?;
        let reads_redis = self.row == Some(Row::Redis) && (self.redis_up || rules.wait_for_redis);
        when(self.redis_up || !reads_redis)?;
        let has = |entry| self.postgres.has(entry) || (reads_redis && self.redis.entries.has(entry));
        let mut found = self.tables;
        while has(found + 1) {
            found += 1;
        }
        let last = self.postgres.last.max(if reads_redis { self.redis.entries.last } else { 0 });
        if last > found && !self.excused {
            self.wrong = Some("a dead pod's journal has a hole");
        }
        self.found = Some(found);
        Some(())
    }

    fn finish(&mut self, rules: &Rules) -> Option<()> {
        when(self.member == Member::Dead && self.sealed)?;
        when(!self.confirmed || !rules.wait_after_sealing || !rules.ask_for_the_seal)?;
        self.tables = self.tables.max(self.found?);
        self.member = Member::Finished;
        if self.acknowledged > self.tables && !self.excused {
            self.wrong = Some("an acknowledged change is lost");
        }
        Some(())
    }
}
