//! One connection, and what can be asked over it.

use std::time::{Duration, Instant};

use redis::{Cmd, aio::MultiplexedConnection, cmd};
use smartcart_domain::{entry::Lane, failure::Failure, id::IncarnationId};
use smartcart_engine::{backoff::Backoff, journal::AppendError};

use smartcart_wire::EntryName;

/// How long replicas are waited for, and after how long they are asked once more.
const CONFIRMING: Duration = Duration::from_millis(500);
const FIRST_CONFIRMING: Duration = Duration::from_millis(4);
/// Records sent at once when many are written again.
const SENT_AT_ONCE: usize = 64;

/// Keys of one incarnation lie together, on whatever server of a cluster.
pub(super) fn state(incarnation: IncarnationId) -> String {
    format!("smartcart:{{{incarnation}}}:state")
}

fn stream(incarnation: IncarnationId, lane: Lane) -> String {
    format!("smartcart:{{{incarnation}}}:lane:{}", lane.0)
}

/// The keys of every state.
const STATES: &str = "smartcart:{*}:state";

fn incarnation_of(state: &str) -> Option<IncarnationId> {
    state.strip_prefix("smartcart:{")?.strip_suffix("}:state")?.parse().ok()
}

/// Somebody has declared the incarnation dead.
const SEALED: i64 = -2;
const CONFLICT: i64 = -1;

/// What a lane has: after which number, and the records.
pub(super) type Page = (u64, Vec<u64>, Vec<Vec<u8>>);

/// One connection; clones share it. Once it is broken, everything over it fails.
#[derive(Clone)]
pub(crate) struct Link {
    connection: MultiplexedConnection,
    /// Replicas that must have what is written.
    confirming: u16,
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Link")
    }
}

impl Link {
    pub(super) const fn new(connection: MultiplexedConnection, confirming: u16) -> Self {
        Self { connection, confirming }
    }

    pub(super) async fn ask<T: redis::FromRedisValue>(&self, command: &Cmd) -> redis::RedisResult<T> {
        command.query_async(&mut self.connection.clone()).await
    }

    /// Asks what writes, and waits until as many replicas as must have it.
    async fn write<T: redis::FromRedisValue>(&self, command: &Cmd) -> redis::RedisResult<T> {
        let answer = self.ask(command).await?;
        self.confirm().await?;
        Ok(answer)
    }

    /// A replica says what it has on its disk when it is asked to; that may be before it has this, and it says so again a
    /// second later. Hence not in one go with what was written, and asked again soon.
    pub(super) async fn confirm(&self) -> redis::RedisResult<()> {
        if self.confirming == 0 {
            return Ok(());
        }
        let until = Instant::now() + CONFIRMING;
        let mut backoff = Backoff::new(FIRST_CONFIRMING, CONFIRMING);
        loop {
            let mut wait = cmd("WAITAOF");
            wait.arg(1).arg(self.confirming).arg(backoff.pause().as_millis());
            let (here, elsewhere): (u16, u16) = self.ask(&wait).await?;
            if here >= 1 && elsewhere >= self.confirming {
                return Ok(());
            }
            if Instant::now() >= until {
                let why = format!("{elsewhere} replicas have it on their disks, {} must", self.confirming);
                return Err((redis::ErrorKind::Client, "not confirmed", why).into());
            }
        }
    }

    pub(crate) async fn append(&self, name: EntryName, body: &[u8]) -> Result<(), AppendError> {
        let answer =
            self.write::<i64>(call("append", name.incarnation, name.lane).arg(name.sequence).arg(body)).await;
        match answer {
            Ok(answer) => accepted(name.sequence, answer),
            // Also what the server has refused is not known to be nowhere: an earlier attempt may be on its way still.
            Err(error) => Err(unknown(error).into()),
        }
    }

    /// Writes what the tables have not got once more: entries after `base`, in order.
    pub(crate) async fn publish(
        &self,
        incarnation: IncarnationId,
        lane: Lane,
        base: u64,
        entries: &[(u64, std::sync::Arc<[u8]>)],
    ) -> Result<(), Failure> {
        let mut begin = call("begin_after", incarnation, lane);
        if self.ask::<i64>(begin.arg(base)).await.map_err(unknown)? == SEALED {
            return Err(Failure::fenced());
        }
        for some in entries.chunks(SENT_AT_ONCE) {
            let mut sent = redis::pipe();
            for (sequence, body) in some {
                sent.add_command(call("append", incarnation, lane).arg(*sequence).arg(&**body).clone());
            }
            let answers = sent.query_async(&mut self.connection.clone()).await;
            let answers: Vec<i64> = answers.map_err(unknown)?;
            for ((sequence, _), answer) in some.iter().zip(answers) {
                match accepted(*sequence, answer) {
                    Ok(()) => {}
                    Err(AppendError::Failed(failure)) => return Err(failure),
                    // Those before it are there.
                    Err(error) => return Err(Failure::indeterminate(error.to_string())),
                }
            }
        }
        self.confirm().await.map_err(unknown)
    }

    /// Whether nobody has declared the incarnation dead, as far as this server remembers.
    pub(crate) async fn is_open(&self, incarnation: IncarnationId) -> redis::RedisResult<bool> {
        self.ask::<bool>(cmd("HEXISTS").arg(state(incarnation)).arg("sealed")).await.map(|sealed| !sealed)
    }

    pub(super) async fn seal(&self, incarnation: IncarnationId) -> redis::RedisResult<()> {
        self.write(cmd("HSET").arg(state(incarnation)).arg("sealed").arg(1)).await
    }

    pub(super) async fn read(
        &self,
        incarnation: IncarnationId,
        lane: Lane,
        after: u64,
        limit: usize,
    ) -> redis::RedisResult<Page> {
        self.ask(call("read", incarnation, lane).arg(after).arg(limit)).await
    }

    pub(super) async fn trim(
        &self,
        incarnation: IncarnationId,
        lane: Lane,
        through: u64,
    ) -> redis::RedisResult<()> {
        self.ask(call("trim", incarnation, lane).arg(through)).await
    }

    /// Each lane's last sequence.
    pub(super) async fn lanes(&self, incarnation: IncarnationId) -> redis::RedisResult<Vec<(Lane, u64)>> {
        let fields: Vec<(String, u64)> = self.ask(cmd("HGETALL").arg(state(incarnation))).await?;
        let lane =
            |(field, last): (String, u64)| Some((Lane(field.strip_prefix("last:")?.parse().ok()?), last));
        let mut lanes: Vec<_> = fields.into_iter().filter_map(lane).collect();
        lanes.sort_unstable();
        Ok(lanes)
    }

    pub(super) async fn incarnations(&self) -> redis::RedisResult<Vec<IncarnationId>> {
        let (mut found, mut cursor) = (Vec::new(), 0_u64);
        loop {
            let (next, keys): (u64, Vec<String>) =
                self.ask(cmd("SCAN").arg(cursor).arg("MATCH").arg(STATES).arg("COUNT").arg(1000)).await?;
            found.extend(keys.iter().filter_map(|key| incarnation_of(key)));
            cursor = next;
            if cursor == 0 {
                break;
            }
        }
        // A scan may come by a key twice.
        found.sort_unstable();
        found.dedup();
        Ok(found)
    }

    /// Whether it was sealed, and so is gone now.
    pub(super) async fn remove(&self, incarnation: IncarnationId) -> redis::RedisResult<bool> {
        let lanes = self.lanes(incarnation).await?;
        let mut call = cmd("FCALL");
        call.arg("smartcart_2_remove").arg(1 + lanes.len()).arg(state(incarnation));
        for (lane, _) in lanes {
            call.arg(stream(incarnation, lane));
        }
        Ok(self.ask::<i64>(&call).await? == 0)
    }
}

/// A function over the state and the stream of one lane.
fn call(function: &str, incarnation: IncarnationId, lane: Lane) -> Cmd {
    let mut call = cmd("FCALL");
    call.arg(format!("smartcart_2_{function}"))
        .arg(2)
        .arg(state(incarnation))
        .arg(stream(incarnation, lane))
        .arg(lane.0);
    call
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn unknown(error: redis::RedisError) -> Failure {
    Failure::indeterminate(format!("Redis: {error}"))
}

fn accepted(sequence: u64, answer: i64) -> Result<(), AppendError> {
    match answer {
        0 => Ok(()),
        SEALED => Err(Failure::fenced().into()),
        CONFLICT => Err(AppendError::Conflict { sequence }),
        expected => Err(AppendError::Gap { expected: expected.unsigned_abs() }),
    }
}
