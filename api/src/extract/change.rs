use std::{marker::PhantomData, sync::Arc};

use axum::{
    body::Body,
    extract::FromRequest,
    http::{Request, request},
};
use bytes::Bytes;
use smartcart_domain::idempotency::{Caller, KeyFingerprint};
use xxhash_rust::xxh3::Xxh3;

use super::{
    access::{Access, Anyone},
    body::read_body,
    idempotency::IdempotencyKey,
    payload::Payload,
    precondition::{Precondition, precondition},
};
use crate::{app_state::AppState, auth::Identity, problem::Problem};

/// A request that changes something: who asks, what they believe (`If-Match`), their key, and the body. Whoever may not make
/// it (`A`) is refused before the body is read.
#[derive(Debug)]
pub struct Change<P, A = Anyone> {
    pub identity: Identity,
    /// The version that `If-Match` names; 0 for what must be new.
    pub expected: Option<u64>,
    /// It must be there, at whatever version (`If-Match: *`).
    pub must_exist: bool,
    pub key: Option<IdempotencyKey>,
    pub body: P,
    admitted: PhantomData<fn() -> A>,
}

impl<P, A> Change<P, A> {
    pub const fn caller(&self) -> Caller {
        self.identity.caller
    }

    /// The key as the engine takes it, if there is one.
    pub fn fingerprint(&self) -> Option<KeyFingerprint> {
        self.key.as_ref().map(|key| key.fingerprint(self.identity.caller))
    }
}

impl<P: Payload, A: Access> FromRequest<Arc<AppState>> for Change<P, A> {
    type Rejection = Problem;

    async fn from_request(request: Request<Body>, state: &Arc<AppState>) -> Result<Self, Problem> {
        let (head, body) = request.into_parts();
        let identity = state.auth.identify(&head.headers, state.engine.clock().wall())?;
        A::admit(&identity)?;
        let Precondition { expected, must_exist } = precondition(&head.headers)?;
        let key = IdempotencyKey::read(&head.headers)?;
        let bytes = if P::READS_BODY {
            read_body(&head.headers, body, state.body_limit).await?
        } else {
            Bytes::new()
        };
        let body = P::read(&head.headers, &bytes)?;
        let key = key.map(|key| key.for_request(request_fingerprint(&head, &bytes)));
        Ok(Self { identity, expected, must_exist, key, body, admitted: PhantomData })
    }
}

/// Tells a repeated request from another one: method, path and body.
fn request_fingerprint(head: &request::Parts, body: &[u8]) -> u64 {
    let mut hash = Xxh3::new();
    for part in [head.method.as_str().as_bytes(), head.uri.path().as_bytes()] {
        hash.update(part);
        hash.update(b"\n");
    }
    hash.update(body);
    hash.digest()
}
