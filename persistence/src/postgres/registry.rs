//! Members and shards as rows. Locks are taken in one order everywhere: fences by their keys, then rows.

use async_trait::async_trait;
use smartcart_domain::{failure::Failure, id::IncarnationId, shard::ShardId, time::ShopTime};
use smartcart_engine::{
    registry::{Epoch, Heartbeat, Member, MemberState, Registry, RegistryError, ShardRow, Takeover},
    store::StoreError,
};
use sqlx::{ConnectOptions as _, Connection as _, FromRow, PgConnection, PgPool, postgres::PgConnectOptions};

use super::{
    fence::{fence, fence_key, takeover_key},
    journal::forget,
    notifications::{NotificationListener, notify},
    pooled_connection::{with_connection, within},
};
use crate::{
    columns::{id_bytes, id_of, signed, unsigned},
    error::{TableError, TableResult},
};

#[derive(Debug)]
pub struct PostgresRegistry {
    pool: PgPool,
    options: PgConnectOptions,
    listener: NotificationListener,
}

impl PostgresRegistry {
    pub(super) const fn new(pool: PgPool, options: PgConnectOptions, listener: NotificationListener) -> Self {
        Self { pool, options, listener }
    }

    pub async fn close(&self) {
        self.pool.close().await;
    }
}

#[async_trait]
impl Registry for PostgresRegistry {
    async fn join(&self, member: &Member, shop: ShopTime) -> Result<(), RegistryError> {
        with_connection!(&self.pool, connection => join(connection, member, shop)).map_err(registry_error)
    }

    async fn heartbeat(&self, me: IncarnationId, shop: ShopTime) -> Result<Heartbeat, RegistryError> {
        with_connection!(&self.pool, connection => heartbeat(connection, me, shop)).map_err(registry_error)
    }

    async fn shards(&self) -> Result<Vec<ShardRow>, RegistryError> {
        with_connection!(&self.pool, connection => shards(connection)).map_err(registry_error)
    }

    async fn claim(&self, me: IncarnationId, shards: &[ShardId]) -> Result<Vec<ShardRow>, RegistryError> {
        with_connection!(&self.pool, connection => claim(connection, me, shards)).map_err(registry_error)
    }

    async fn hand_over(
        &self,
        me: IncarnationId,
        to: Option<IncarnationId>,
        shards: &[(ShardId, Epoch)],
    ) -> Result<Vec<ShardRow>, RegistryError> {
        with_connection!(&self.pool, connection => hand_over(connection, me, to, shards))
            .map_err(registry_error)
    }

    async fn leave(&self, me: IncarnationId) -> Result<(), RegistryError> {
        with_connection!(&self.pool, connection => leave(connection, me)).map_err(registry_error)
    }

    async fn deregister(&self, me: IncarnationId) -> Result<(), RegistryError> {
        with_connection!(&self.pool, connection => deregister(connection, me)).map_err(registry_error)
    }

    async fn declare_dead(&self, by: IncarnationId, member: IncarnationId) -> Result<bool, RegistryError> {
        with_connection!(&self.pool, connection => declare_dead(connection, by, member))
            .map_err(registry_error)
    }

    async fn take_over(&self, dead: IncarnationId) -> Result<Option<Box<dyn Takeover>>, RegistryError> {
        // A connection of its own: its lock goes when it ends, and when whoever has it does not go on.
        let options = self.options.clone().options([("idle_session_timeout", "10s")]);
        let right = within(async {
            let mut connection = options.connect().await?;
            Ok(right_to(&mut connection, dead).await?.then_some(Right { connection, dead }))
        });
        let right = right.await.map_err(registry_error)?;
        Ok(right.map(|right| -> Box<dyn Takeover> { Box::new(right) }))
    }

    async fn changed(&self) {
        self.listener.notified().await;
    }
}

#[derive(Debug)]
struct Right {
    connection: PgConnection,
    dead: IncarnationId,
}

#[async_trait]
impl Takeover for Right {
    async fn finish(
        mut self: Box<Self>,
        new_owners: &[(ShardId, IncarnationId)],
    ) -> Result<(), RegistryError> {
        within(reassign_shards(&mut self.connection, self.dead, new_owners)).await.map_err(registry_error)
    }
}

fn registry_error(error: TableError) -> RegistryError {
    match error {
        TableError::Store(StoreError::Corrupt(what)) => RegistryError::Corrupt(what),
        error => Failure::from(error).into(),
    }
}

async fn join(connection: &mut PgConnection, member: &Member, shop: ShopTime) -> TableResult<()> {
    let mut transaction = connection.begin().await?;
    sqlx::query(
        "INSERT INTO member (incarnation, pod, address, owns_shards, protocol, shop_time, state)
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (incarnation) DO NOTHING",
    )
    .bind(id_bytes(member.incarnation.0))
    .bind(&member.pod)
    .bind(&member.address)
    .bind(member.owns_shards)
    .bind(i64::from(member.protocol))
    .bind(shop.0)
    .bind(MemberState::Live.as_str())
    .execute(&mut *transaction)
    .await?;
    notify(&mut transaction).await?;
    transaction.commit().await?;
    Ok(())
}

#[derive(FromRow)]
struct HeartbeatColumns {
    incarnation: Vec<u8>,
    pod: String,
    address: String,
    owns_shards: bool,
    protocol: i64,
    beat: i64,
    state: String,
    shop_time: i64,
    beaten: bool,
    tables_shop_time: i64,
    catalog_generation: i64,
}

async fn heartbeat(
    connection: &mut PgConnection,
    me: IncarnationId,
    shop: ShopTime,
) -> TableResult<Heartbeat> {
    let rows: Vec<HeartbeatColumns> = sqlx::query_as(
        "WITH me AS (
             UPDATE member SET beat = beat + 1, shop_time = greatest(shop_time, $2)
             WHERE incarnation = $1 AND state IN ('live', 'leaving') RETURNING 1)
         SELECT incarnation, pod, address, owns_shards, protocol, beat, state, member.shop_time,
                EXISTS (SELECT 1 FROM me) AS beaten, shop.shop_time AS tables_shop_time, catalog_generation
         FROM member CROSS JOIN shop ORDER BY incarnation",
    )
    .bind(id_bytes(me.0))
    .bind(shop.0)
    .fetch_all(connection)
    .await?;
    let Some(first) = rows.first().filter(|row| row.beaten) else {
        return Err(StoreError::from(Failure::fenced()).into());
    };
    let shop = rows.iter().map(|row| row.shop_time).max().unwrap_or(0).max(first.tables_shop_time);
    let catalog_generation = unsigned(first.catalog_generation);
    let members = rows.into_iter().map(member_of).collect::<Result<_, _>>()?;
    Ok(Heartbeat { members, shop: ShopTime(shop), catalog_generation })
}

fn member_of(row: HeartbeatColumns) -> Result<Member, StoreError> {
    let state = match row.state.as_str() {
        "live" => MemberState::Live,
        "leaving" => MemberState::Leaving,
        "dead" => MemberState::Dead,
        other => return Err(StoreError::Corrupt(format!("a member is {other:?}"))),
    };
    Ok(Member {
        incarnation: IncarnationId(id_of(&row.incarnation)?),
        pod: row.pod,
        address: row.address,
        owns_shards: row.owns_shards,
        heartbeat: unsigned(row.beat),
        state,
        protocol: u32::try_from(row.protocol).unwrap_or(0),
    })
}

#[derive(FromRow)]
struct ShardColumns {
    id: i16,
    epoch: i64,
    owner: Option<Vec<u8>>,
}

impl TryFrom<ShardColumns> for ShardRow {
    type Error = StoreError;
    fn try_from(row: ShardColumns) -> Result<Self, StoreError> {
        Ok(Self {
            shard: ShardId(row.id.cast_unsigned()),
            epoch: Epoch(unsigned(row.epoch)),
            owner: row.owner.map(|owner| id_of(&owner)).transpose()?.map(IncarnationId),
        })
    }
}

fn shard_rows(rows: Vec<ShardColumns>) -> TableResult<Vec<ShardRow>> {
    Ok(rows.into_iter().map(TryInto::try_into).collect::<Result<_, _>>()?)
}

fn numbers(shards: impl IntoIterator<Item = ShardId>) -> Vec<i16> {
    shards.into_iter().map(|shard| shard.0.cast_signed()).collect()
}

async fn shards(connection: &mut PgConnection) -> TableResult<Vec<ShardRow>> {
    let rows = sqlx::query_as("SELECT id, epoch, owner FROM shard ORDER BY id").fetch_all(connection).await?;
    shard_rows(rows)
}

async fn claim(
    connection: &mut PgConnection,
    me: IncarnationId,
    shards: &[ShardId],
) -> TableResult<Vec<ShardRow>> {
    let (id, wanted) = (id_bytes(me.0), numbers(shards.iter().copied()));
    let mut transaction = connection.begin().await?;
    fence(&mut transaction, me).await?;
    // Locked in order, so that two members that claim the same shards wait and do not block each other.
    sqlx::query(
        "SELECT id FROM shard WHERE id = ANY($1)
         AND (owner IS NULL OR owner NOT IN (SELECT incarnation FROM member)) ORDER BY id FOR UPDATE",
    )
    .bind(&wanted)
    .execute(&mut *transaction)
    .await?;
    // Looked at again under the locks: whoever had one of them may have joined after the other statement began, which
    // does not see it.
    let taken = sqlx::query(
        "UPDATE shard SET owner = $1, epoch = epoch + 1
         WHERE id = ANY($2) AND (owner IS NULL OR owner NOT IN (SELECT incarnation FROM member))
         AND EXISTS (SELECT 1 FROM member WHERE incarnation = $1 AND state = 'live')",
    )
    .bind(&id)
    .bind(&wanted)
    .execute(&mut *transaction)
    .await?
    .rows_affected();
    let mine =
        sqlx::query_as("SELECT id, epoch, owner FROM shard WHERE owner = $1 AND id = ANY($2) ORDER BY id")
            .bind(&id)
            .bind(&wanted)
            .fetch_all(&mut *transaction)
            .await?;
    if taken > 0 {
        notify(&mut transaction).await?;
    }
    transaction.commit().await?;
    shard_rows(mine)
}

/// Whoever of them is live and takes shards, and stays so to the end of the transaction.
async fn live_owners(connection: &mut PgConnection, owners: &[Vec<u8>]) -> TableResult<Vec<Vec<u8>>> {
    let live = sqlx::query_scalar(
        "SELECT incarnation FROM member WHERE incarnation = ANY($1) AND state = 'live' AND owns_shards
         ORDER BY incarnation FOR SHARE",
    )
    .bind(owners)
    .fetch_all(connection)
    .await?;
    Ok(live)
}

async fn hand_over(
    connection: &mut PgConnection,
    me: IncarnationId,
    to: Option<IncarnationId>,
    shards: &[(ShardId, Epoch)],
) -> TableResult<Vec<ShardRow>> {
    let to = to.map(|to| id_bytes(to.0));
    let mut transaction = connection.begin().await?;
    fence(&mut transaction, me).await?;
    if let Some(to) = &to
        && live_owners(&mut transaction, std::slice::from_ref(to)).await?.is_empty()
    {
        return Ok(Vec::new());
    }
    let mut went: Vec<ShardColumns> = sqlx::query_as(
        "UPDATE shard SET owner = $2, epoch = shard.epoch + 1
         FROM unnest($3::smallint[], $4::bigint[]) AS given (id, epoch)
         WHERE shard.id = given.id AND shard.epoch = given.epoch AND shard.owner = $1
         RETURNING shard.id, shard.epoch, shard.owner",
    )
    .bind(id_bytes(me.0))
    .bind(to)
    .bind(numbers(shards.iter().map(|(shard, _)| *shard)))
    .bind(shards.iter().map(|(_, epoch)| signed(epoch.0)).collect::<Vec<_>>())
    .fetch_all(&mut *transaction)
    .await?;
    notify(&mut transaction).await?;
    transaction.commit().await?;
    went.sort_unstable_by_key(|row| row.id);
    shard_rows(went)
}

async fn leave(connection: &mut PgConnection, me: IncarnationId) -> TableResult<()> {
    let mut transaction = connection.begin().await?;
    let left = sqlx::query(
        "UPDATE member SET state = 'leaving' WHERE incarnation = $1 AND state IN ('live', 'leaving')",
    )
    .bind(id_bytes(me.0))
    .execute(&mut *transaction)
    .await?
    .rows_affected();
    if left == 0 {
        return Err(StoreError::from(Failure::fenced()).into());
    }
    notify(&mut transaction).await?;
    transaction.commit().await?;
    Ok(())
}

/// Nothing of a member is kept but the shop time it has told. Its journal has gone before.
async fn forget_member(connection: &mut PgConnection, id: &[u8]) -> TableResult<()> {
    sqlx::query("DELETE FROM watermark WHERE incarnation = $1").bind(id).execute(&mut *connection).await?;
    sqlx::query(
        "WITH gone AS (DELETE FROM member WHERE incarnation = $1 RETURNING shop_time)
         UPDATE shop SET shop_time = gone.shop_time FROM gone WHERE shop.shop_time < gone.shop_time",
    )
    .bind(id)
    .execute(connection)
    .await?;
    Ok(())
}

async fn deregister(connection: &mut PgConnection, me: IncarnationId) -> TableResult<()> {
    let id = id_bytes(me.0);
    let mut transaction = connection.begin().await?;
    let state: Option<String> =
        sqlx::query_scalar("SELECT state FROM member WHERE incarnation = $1 FOR UPDATE")
            .bind(&id)
            .fetch_optional(&mut *transaction)
            .await?;
    match state.as_deref() {
        None => return Ok(()),
        Some("dead") => return Err(StoreError::from(Failure::fenced()).into()),
        Some(_) => {}
    }
    let owns: i64 = sqlx::query_scalar("SELECT count(*) FROM shard WHERE owner = $1")
        .bind(&id)
        .fetch_one(&mut *transaction)
        .await?;
    if owns > 0 {
        return Err(StoreError::from(Failure::not_applied(format!("it owns {owns} shards still"))).into());
    }
    forget(&mut transaction, &id).await?;
    forget_member(&mut transaction, &id).await?;
    notify(&mut transaction).await?;
    transaction.commit().await?;
    Ok(())
}

async fn declare_dead(
    connection: &mut PgConnection,
    by: IncarnationId,
    member: IncarnationId,
) -> TableResult<bool> {
    let mut transaction = connection.begin().await?;
    // Two members that declare each other dead must not wait for each other.
    if fence_key(by) < fence_key(member) {
        fence(&mut transaction, by).await?;
    }
    let dead = sqlx::query_scalar("SELECT declare_dead($1, $2)")
        .bind(id_bytes(member.0))
        .bind(fence_key(member))
        .fetch_one(&mut *transaction)
        .await?;
    if fence_key(by) >= fence_key(member) {
        fence(&mut transaction, by).await?;
    }
    notify(&mut transaction).await?;
    transaction.commit().await?;
    Ok(dead)
}

async fn right_to(connection: &mut PgConnection, dead: IncarnationId) -> TableResult<bool> {
    let right: bool = sqlx::query_scalar("SELECT pg_try_advisory_lock($1)")
        .bind(takeover_key(dead))
        .fetch_one(&mut *connection)
        .await?;
    if !right {
        return Ok(false);
    }
    // Looked at under the lock: whoever had it before may have finished.
    let there: bool =
        sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM member WHERE incarnation = $1 AND state = 'dead')")
            .bind(id_bytes(dead.0))
            .fetch_one(&mut *connection)
            .await?;
    if !there {
        // Not only with the connection, whose end the server notices later: whoever asks next would be refused meanwhile.
        sqlx::query("SELECT pg_advisory_unlock($1)").bind(takeover_key(dead)).execute(connection).await?;
    }
    Ok(there)
}

async fn reassign_shards(
    connection: &mut PgConnection,
    dead: IncarnationId,
    new_owners: &[(ShardId, IncarnationId)],
) -> TableResult<()> {
    let id = id_bytes(dead.0);
    let mut transaction = connection.begin().await?;
    // What may take long comes before the rows that heartbeats wait for.
    forget(&mut transaction, &id).await?;
    let mut owners: Vec<_> = new_owners.iter().map(|(_, owner)| id_bytes(owner.0)).collect();
    owners.sort_unstable();
    owners.dedup();
    let live = live_owners(&mut transaction, &owners).await?;
    let (shards, owners): (Vec<_>, Vec<_>) = new_owners
        .iter()
        .map(|(shard, owner)| (*shard, id_bytes(owner.0)))
        .filter(|(_, owner)| live.contains(owner))
        .unzip();
    // What has no new owner is claimed by whoever should have it.
    sqlx::query(
        "UPDATE shard SET epoch = shard.epoch + 1, owner =
             (SELECT given.owner FROM unnest($2::smallint[], $3::bytea[]) AS given (id, owner)
              WHERE given.id = shard.id)
         WHERE shard.owner = $1",
    )
    .bind(&id)
    .bind(numbers(shards))
    .bind(owners)
    .execute(&mut *transaction)
    .await?;
    forget_member(&mut transaction, &id).await?;
    notify(&mut transaction).await?;
    transaction.commit().await?;
    Ok(())
}
