use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;
use smartcart_domain::{failure::Failure, id::IncarnationId, shard::ShardId, time::ShopTime};
use smartcart_engine::registry::{
    Epoch, Heartbeat, Member, MemberState, Registry, RegistryError, ShardRow, Takeover,
};
use tokio::sync::watch;

use super::{
    bugs::Bug,
    calls::{Calls, RegistryCall},
    database::{Database, Fenced, MemberRow, State},
    faults::{Away, Faults, RegistryFault},
};

/// Members and shards in the fleet's database.
#[derive(Debug)]
pub struct MemoryRegistry {
    database: Database,
    faults: Arc<Faults<RegistryFault>>,
    calls: Arc<Calls>,
    seen: tokio::sync::Mutex<watch::Receiver<u64>>,
    last_read: Mutex<LastRead>,
    /// By a bug: shards that were handed over from here, and are here still.
    kept: Mutex<Vec<ShardRow>>,
}

/// What a view that lags repeats.
#[derive(Debug, Default)]
struct LastRead {
    heartbeat: Option<Heartbeat>,
    shards: Option<Vec<ShardRow>>,
}

impl MemoryRegistry {
    pub fn new(database: &Database) -> Self {
        let mut seen = database.subscribe();
        // Something may have been missed before.
        seen.mark_changed();
        Self {
            database: database.clone(),
            faults: Arc::default(),
            calls: Arc::default(),
            seen: tokio::sync::Mutex::new(seen),
            last_read: Mutex::default(),
            kept: Mutex::default(),
        }
    }

    pub const fn faults(&self) -> &Arc<Faults<RegistryFault>> {
        &self.faults
    }

    /// The next calls of one kind suffer these, in order.
    pub fn inject_into(&self, call: RegistryCall, faults: impl IntoIterator<Item = RegistryFault>) {
        self.calls.inject(call, faults);
    }

    /// How often it was called.
    pub fn calls(&self, of: RegistryCall) -> usize {
        self.calls.count(of)
    }

    async fn ask<T: Clone + Send + Sync>(
        &self,
        kind: RegistryCall,
        call: impl FnOnce(&mut State) -> Result<T, RegistryError> + Send,
    ) -> Result<T, RegistryError> {
        self.read(kind, call, |_| None).await
    }

    /// `last` is where the answer of the same call before is kept.
    async fn read<T: Clone + Send + Sync>(
        &self,
        kind: RegistryCall,
        call: impl FnOnce(&mut State) -> Result<T, RegistryError> + Send,
        last: impl Fn(&mut LastRead) -> Option<&mut Option<T>> + Send,
    ) -> Result<T, RegistryError> {
        let fate = self.calls.call(kind, &self.faults).await.map_err(|Away| refused("it is away"))?;
        if fate.fault == Some(RegistryFault::Unreachable) {
            return Err(refused("the request was lost"));
        }
        let answer = call(&mut self.database.lock());
        let answer = match (fate.fault, answer) {
            (Some(RegistryFault::LoseAnswer), _) => Err(lost()),
            (Some(RegistryFault::OldView), Ok(now)) => {
                let mut kept = self.last_read.lock();
                Ok(last(&mut kept).and_then(|old| old.clone()).unwrap_or(now))
            }
            (_, Ok(now)) => {
                if let Some(kept) = last(&mut self.last_read.lock()) {
                    *kept = Some(now.clone());
                }
                Ok(now)
            }
            (_, refusal) => refusal,
        };
        self.faults.answer(&fate, answer).await
    }
}

fn refused(why: impl Into<String>) -> RegistryError {
    Failure::not_applied(why).into()
}

fn lost() -> RegistryError {
    Failure::indeterminate("the answer was lost").into()
}

fn fenced(_: Fenced) -> RegistryError {
    Failure::fenced().into()
}

#[async_trait]
impl Registry for MemoryRegistry {
    async fn join(&self, member: &Member, shop: ShopTime) -> Result<(), RegistryError> {
        self.ask(RegistryCall::Join, |state| {
            let row = MemberRow {
                member: Member { state: MemberState::Live, heartbeat: 0, ..member.clone() },
                shop,
            };
            state.members.entry(member.incarnation).or_insert(row);
            self.database.tell();
            Ok(())
        })
        .await
    }

    async fn heartbeat(&self, me: IncarnationId, shop: ShopTime) -> Result<Heartbeat, RegistryError> {
        let heartbeat = |state: &mut State| {
            state.fence(me).map_err(fenced)?;
            if let Some(row) = state.members.get_mut(&me) {
                row.member.heartbeat += 1;
                row.shop = row.shop.max(shop);
            }
            Ok(Heartbeat {
                members: state.members.values().map(|row| row.member.clone()).collect(),
                shop: state.shop_time(),
                catalog_generation: state.tables.catalog_generation,
            })
        };
        self.read(RegistryCall::Heartbeat, heartbeat, |last| Some(&mut last.heartbeat)).await
    }

    async fn shards(&self) -> Result<Vec<ShardRow>, RegistryError> {
        let mut rows = self
            .read(RegistryCall::Shards, |state| Ok(state.shards.clone()), |last| Some(&mut last.shards))
            .await?;
        for kept in &*self.kept.lock() {
            rows[usize::from(kept.shard.0)] = *kept;
        }
        Ok(rows)
    }

    async fn claim(&self, me: IncarnationId, shards: &[ShardId]) -> Result<Vec<ShardRow>, RegistryError> {
        self.ask(RegistryCall::Claim, |state| {
            state.fence(me).map_err(fenced)?;
            let State { members, shards: rows, .. } = state;
            let may_take = members.get(&me).is_some_and(|row| row.member.state == MemberState::Live);
            let mut taken = false;
            let mut wanted: Vec<_> = shards.to_vec();
            wanted.sort_unstable();
            let mine = wanted.into_iter().filter_map(|shard| {
                let row = rows.get_mut(usize::from(shard.0))?;
                if may_take && row.owner.is_none_or(|owner| !members.contains_key(&owner)) {
                    (row.owner, row.epoch, taken) = (Some(me), Epoch(row.epoch.0 + 1), true);
                }
                (row.owner == Some(me)).then_some(*row)
            });
            let mine = mine.collect();
            if taken {
                self.database.tell();
            }
            Ok(mine)
        })
        .await
    }

    async fn hand_over(
        &self,
        me: IncarnationId,
        to: Option<IncarnationId>,
        shards: &[(ShardId, Epoch)],
    ) -> Result<Vec<ShardRow>, RegistryError> {
        self.ask(RegistryCall::HandOver, |state| {
            state.fence(me).map_err(fenced)?;
            if to.is_some_and(|to| !state.is_live_owner(to)) {
                return Ok(Vec::new());
            }
            let mut went = Vec::new();
            for (shard, epoch) in shards {
                let Some(row) = state.shards.get_mut(usize::from(shard.0)) else { continue };
                if row.epoch == *epoch && row.owner == Some(me) {
                    let stays = state.bugs.strikes(Bug::TwoOwners);
                    self.kept.lock().extend(stays.then_some(*row));
                    (row.owner, row.epoch) = (to, Epoch(epoch.0 + 1));
                    if !stays {
                        went.push(*row);
                    }
                }
            }
            went.sort_unstable_by_key(|row| row.shard);
            self.database.tell();
            Ok(went)
        })
        .await
    }

    async fn leave(&self, me: IncarnationId) -> Result<(), RegistryError> {
        self.ask(RegistryCall::Leave, |state| {
            state.fence(me).map_err(fenced)?;
            if let Some(row) = state.members.get_mut(&me) {
                row.member.state = MemberState::Leaving;
            }
            self.database.tell();
            Ok(())
        })
        .await
    }

    async fn deregister(&self, me: IncarnationId) -> Result<(), RegistryError> {
        self.ask(RegistryCall::Deregister, |state| {
            if !state.members.contains_key(&me) {
                return Ok(());
            }
            state.fence(me).map_err(fenced)?;
            let owns = state.shards.iter().filter(|row| row.owner == Some(me)).count();
            if owns > 0 {
                return Err(refused(format!("it owns {owns} shards still")));
            }
            state.forget_member(me);
            self.database.tell();
            Ok(())
        })
        .await
    }

    async fn declare_dead(&self, by: IncarnationId, member: IncarnationId) -> Result<bool, RegistryError> {
        self.ask(RegistryCall::DeclareDead, |state| {
            state.fence(by).map_err(fenced)?;
            let dead = state.declare_dead(member);
            self.database.tell();
            Ok(dead)
        })
        .await
    }

    async fn take_over(&self, dead: IncarnationId) -> Result<Option<Box<dyn Takeover>>, RegistryError> {
        let right = self
            .ask(RegistryCall::TakeOver, |state| {
                let row = state.members.get(&dead);
                let there = row.is_some_and(|row| row.member.state == MemberState::Dead);
                // A connection that has broken, or on which nothing is said, has given the right back.
                let held = state.takeovers.get(&dead).is_some_and(|line| !line.is_silent());
                if !there || held {
                    return Ok(None);
                }
                state.takeovers.insert(dead, self.faults.clone());
                // Given back when nobody hears of it.
                let (database, line, calls) =
                    (self.database.clone(), self.faults.clone(), self.calls.clone());
                Ok(Some(Arc::new(Right { database, dead, line, calls })))
            })
            .await?;
        Ok(right.map(|right| -> Box<dyn Takeover> { Box::new(Finishing(right)) }))
    }

    async fn changed(&self) {
        if self.faults.is_silent() {
            return std::future::pending().await;
        }
        // The sender lives as long as the database.
        let _told = self.seen.lock().await.changed().await;
    }
}

/// Given back when it is dropped.
#[derive(Debug)]
struct Right {
    database: Database,
    dead: IncarnationId,
    line: Arc<Faults<RegistryFault>>,
    calls: Arc<Calls>,
}

impl Drop for Right {
    fn drop(&mut self) {
        let mut state = self.database.lock();
        if state.takeovers.get(&self.dead).is_some_and(|line| Arc::ptr_eq(line, &self.line)) {
            state.takeovers.remove(&self.dead);
        }
    }
}

#[derive(Debug)]
struct Finishing(Arc<Right>);

#[async_trait]
impl Takeover for Finishing {
    async fn finish(self: Box<Self>, new_owners: &[(ShardId, IncarnationId)]) -> Result<(), RegistryError> {
        let Right { database, dead, line, calls } = &*self.0;
        let fate = calls.call(RegistryCall::Finish, line).await.map_err(|Away| refused("it is away"))?;
        if fate.fault == Some(RegistryFault::Unreachable) {
            return Err(refused("the request was lost"));
        }
        reassign(&mut database.lock(), *dead, new_owners);
        database.tell();
        let answer = match fate.fault {
            Some(RegistryFault::LoseAnswer) => Err(lost()),
            _ => Ok(()),
        };
        line.answer(&fate, answer).await
    }
}

fn reassign(state: &mut State, dead: IncarnationId, new_owners: &[(ShardId, IncarnationId)]) {
    for at in 0..state.shards.len() {
        let row = state.shards[at];
        if row.owner != Some(dead) {
            continue;
        }
        let given = new_owners.iter().find(|(shard, _)| *shard == row.shard).map(|(_, owner)| *owner);
        let owner = given.filter(|owner| state.is_live_owner(*owner));
        state.shards[at] = ShardRow { epoch: Epoch(row.epoch.0 + 1), owner, ..row };
    }
    state.forget_member(dead);
}
