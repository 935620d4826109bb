//! What a directory is asked, by clients, peers and the engine itself: answered here, or by the pod that owns the shard.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use crate::{admission::Permit, hydrate::Hydrate, published::{Answer, Published}};
use smartcart_domain::request::{RequestError, Request, Unavailable};
use super::{Directory, request::NotHere};
use crate::{limits::MAX_HOPS, ownership::{RouteContext, ForwardError, Route}, peers::Routable};
use smartcart_domain::idempotency::KeyFingerprint;

/// An owner that hands its shards over while a request is under way sends it on; more often than this something is wrong.
const MOVES: usize = 8;

impl<E: Hydrate + Routable> Directory<E> {
    /// The last durable state. Nothing: it never existed.
    pub async fn read(&self, id: &E::Id) -> Result<Option<Arc<Published<E>>>, Unavailable> {
        self.read_arrived(id, RouteContext::first(Instant::now() + self.deadline)).await
    }

    pub(crate) async fn read_arrived(
        &self,
        id: &E::Id,
        mut arrival: RouteContext,
    ) -> Result<Option<Arc<Published<E>>>, Unavailable> {
        let routes = &self.parts.routes;
        let shard = self.shard(id).id;
        for _ in 0..MOVES {
            let way = routes.shards.reading(shard, arrival.epoch, arrival.deadline).await;
            match way.map_err(|shed| Unavailable(shed.reason.to_owned()))? {
                None if !routes.shards.is_confirmed() => {
                    return Err(Unavailable::not_confirmed());
                }
                None => match self.read_here(id).await {
                    Ok(published) => return Ok(published),
                    Err(NotHere::Unavailable(unavailable)) => return Err(unavailable),
                    Err(NotHere::Moved) => {}
                },
                Some(owner) => match routes.forward(&owner, &E::reading(id.clone()), &arrival).await {
                    Ok(reply) => {
                        return E::read(reply).unwrap_or_else(|| {
                            Err(Unavailable("the pod answered something else".to_owned()))
                        });
                    }
                    Err(ForwardError::Moved(epoch)) => arrival.epoch = arrival.epoch.max(epoch),
                    Err(ForwardError::NotDone(why) | ForwardError::Unknown(why)) => return Err(Unavailable(why)),
                },
            }
        }
        Err(Unavailable("the shard moves too often".to_owned()))
    }

    /// The last durable state, when the shard is here.
    pub(crate) async fn read_local(
        &self,
        id: &E::Id,
    ) -> Result<Option<Arc<Published<E>>>, RequestError<E::Rejection>> {
        if !self.parts.routes.shards.is_open(self.shard(id).id) {
            return Err(RequestError::Elsewhere);
        }
        Ok(self.read_here(id).await?)
    }

    /// Sends a command to the entity and waits until its answer is durable.
    pub async fn ask(&self, id: &E::Id, request: Request<E>) -> Result<Answer<E>, RequestError<E::Rejection>> {
        self.ask_arrived(id, request, RouteContext::first(Instant::now() + self.deadline)).await
    }

    pub(crate) async fn ask_arrived(
        &self,
        id: &E::Id,
        request: Request<E>,
        arrival: RouteContext,
    ) -> Result<Answer<E>, RequestError<E::Rejection>> {
        let permit = self.admit()?;
        self.ask_admitted(id, request, permit, arrival).await
    }

    /// Like `ask`, for what must not leave this pod.
    pub(crate) async fn ask_local(
        &self,
        id: &E::Id,
        request: Request<E>,
    ) -> Result<Answer<E>, RequestError<E::Rejection>> {
        let permit = self.admit()?;
        self.ask_inside(id, request, permit).await
    }

    fn admit(&self) -> Result<Permit, RequestError<E::Rejection>> {
        if let Some(why) = self.parts.gate.read_only() {
            return Err(RequestError::Unavailable(format!("changes are refused: {why}")));
        }
        Ok(self.parts.gate.admit()?)
    }

    /// A step of the engine's own: it is never shed at the door, so that what was begun is finished.
    pub(crate) async fn step(
        &self,
        id: &E::Id,
        command: E::Command,
    ) -> Result<Answer<E>, RequestError<E::Rejection>> {
        self.keyed_step(id, command, None).await
    }

    /// A step that must be made once however often it is repeated.
    pub(crate) async fn keyed_step(
        &self,
        id: &E::Id,
        command: E::Command,
        key: Option<KeyFingerprint>,
    ) -> Result<Answer<E>, RequestError<E::Rejection>> {
        let arrival = RouteContext::first(Instant::now() + self.deadline);
        self.ask_admitted(id, Request::of_engine(command, key), self.parts.gate.pass(), arrival).await
    }

    /// A step that must not leave this pod.
    pub(crate) async fn step_local(
        &self,
        id: &E::Id,
        command: E::Command,
    ) -> Result<Answer<E>, RequestError<E::Rejection>> {
        self.ask_inside(id, Request::of_engine(command, None), self.parts.gate.pass()).await
    }

    async fn ask_inside(
        &self,
        id: &E::Id,
        request: Request<E>,
        permit: Permit,
    ) -> Result<Answer<E>, RequestError<E::Rejection>> {
        let inside = self.parts.routes.shards.enter(self.shard(id).id).ok_or(RequestError::Elsewhere)?;
        self.ask_here(id, request, permit.entered(inside), Instant::now() + self.deadline).await
    }

    async fn ask_admitted(
        &self,
        id: &E::Id,
        request: Request<E>,
        permit: Permit,
        arrival: RouteContext,
    ) -> Result<Answer<E>, RequestError<E::Rejection>> {
        match self.parts.routes.shards.enter(self.shard(id).id) {
            Some(inside) => self.ask_here(id, request, permit.entered(inside), arrival.deadline).await,
            None => Box::pin(self.ask_around(id, request, permit, arrival)).await,
        }
    }

    /// The shard is not open here: waits for it, or asks its owner.
    async fn ask_around(
        &self,
        id: &E::Id,
        request: Request<E>,
        permit: Permit,
        mut arrival: RouteContext,
    ) -> Result<Answer<E>, RequestError<E::Rejection>> {
        let routes = &self.parts.routes;
        let question = E::question(id.clone(), request);
        let mut pause = Duration::from_millis(20);
        for _ in 0..MOVES {
            match routes.shards.way(question.shard(), arrival.epoch, arrival.deadline).await? {
                Route::Local(inside) => {
                    let (id, request) = E::asked(question)
                        .ok_or_else(|| RequestError::Unavailable("the question is of another kind".to_owned()))?;
                    return self.ask_here(&id, request, permit.entered(inside), arrival.deadline).await;
                }
                Route::Remote(_) if arrival.hops >= MAX_HOPS => break,
                Route::Remote(owner) => match routes.forward(&owner, &question, &arrival).await {
                    Ok(reply) => match E::answer(reply) {
                        Some(Err(RequestError::Elsewhere)) => routes.shards.newer_map(pause).await,
                        Some(answer) => return answer,
                        None => return Err(RequestError::Unknown("the pod answered something else".to_owned())),
                    },
                    Err(ForwardError::Moved(epoch)) => arrival.epoch = arrival.epoch.max(epoch),
                    // Whoever owns it may be dead; the shard will have another owner.
                    Err(ForwardError::NotDone(why)) if Instant::now() + pause >= arrival.deadline => {
                        return Err(RequestError::Unavailable(why));
                    }
                    Err(ForwardError::NotDone(_)) => {
                        tokio::time::sleep(pause).await;
                        pause *= 2;
                    }
                    Err(lost @ ForwardError::Unknown(_)) => return Err(lost.into()),
                },
            }
        }
        Err(RequestError::Elsewhere)
    }
}
