//! Identifies callers: shoppers by access token, the shop itself by its service token; everyone else is a guest.

mod access;
mod passwords;
mod refresh;
mod revoked;
mod secret;
mod service;

use std::time::Duration;

use axum::http::{HeaderMap, header};
use smartcart_domain::{
    id::{IdSecret, SessionId, UserId},
    idempotency::Caller,
    time::Timestamp,
};

pub use access::AccessTokens;
pub use passwords::{PasswordConfig, Passwords};
pub use refresh::RefreshTokens;
pub use revoked::Revoked;
pub use secret::Secret;
pub use service::ServiceToken;

use crate::problem::{Code, Problem};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuthConfig {
    pub access_lifetime: Duration,
    pub refresh_lifetime: Duration,
    pub refresh_grace: Duration,
    pub passwords: PasswordConfig,
}

/// Tokens, passwords and ended sessions.
#[derive(Debug)]
pub struct Auth {
    pub access: AccessTokens,
    pub refresh: RefreshTokens,
    pub revoked: Revoked,
    pub passwords: Passwords,
    service: ServiceToken,
}

/// The caller, and the session of a shopper's token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    pub caller: Caller,
    pub session: Option<SessionId>,
}

impl Auth {
    pub fn new(
        config: AuthConfig,
        secret: &IdSecret,
        service: ServiceToken,
        revoked: Revoked,
    ) -> Result<Self, passwords::HashingError> {
        Ok(Self {
            access: AccessTokens::new(secret, config.access_lifetime),
            refresh: RefreshTokens::new(secret, config.refresh_lifetime, config.refresh_grace),
            passwords: Passwords::new(config.passwords)?,
            revoked,
            service,
        })
    }

    /// Refuses the access tokens of these sessions from now on.
    pub fn end_sessions(&self, sessions: impl IntoIterator<Item = SessionId>, now: Timestamp) {
        self.revoked.add(sessions, now, now.plus(self.access.lifetime()));
    }

    /// Reads `Authorization`. An invalid token is refused, not treated as a guest.
    pub fn identify(&self, headers: &HeaderMap, now: Timestamp) -> Result<Identity, Problem> {
        let identity = self.identify_even_revoked(headers, now)?;
        if identity.session.is_some_and(|session| self.revoked.contains(session)) {
            return Err(Problem::plain(Code::InvalidToken));
        }
        Ok(identity)
    }

    /// The same without regard to whether the session has ended.
    pub fn identify_even_revoked(&self, headers: &HeaderMap, now: Timestamp) -> Result<Identity, Problem> {
        let Some(value) = headers.get(header::AUTHORIZATION) else {
            return Ok(Identity { caller: Caller::Guest, session: None });
        };
        let invalid = || Problem::plain(Code::InvalidToken);
        let (scheme, token) =
            value.to_str().ok().and_then(|text| text.split_once(' ')).ok_or_else(invalid)?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(Problem::new(Code::InvalidToken, "the scheme is Bearer"));
        }
        if self.service.is(token) {
            return Ok(Identity { caller: Caller::Service, session: None });
        }
        let grant = self.access.verify(token, now).ok_or_else(invalid)?;
        Ok(Identity { caller: Caller::User(grant.user), session: Some(grant.session) })
    }
}

impl Identity {
    /// Only for a signed-in shopper.
    pub fn shopper(&self) -> Result<UserId, Problem> {
        match self.caller {
            Caller::User(user) => Ok(user),
            Caller::Guest => Err(Problem::plain(Code::AuthenticationRequired)),
            Caller::Service | Caller::Engine => {
                Err(Problem::new(Code::Forbidden, "this call is for a signed-in shopper"))
            }
        }
    }

    /// Only for the shop itself.
    pub fn service(&self) -> Result<(), Problem> {
        match self.caller {
            Caller::Service => Ok(()),
            Caller::Guest => {
                Err(Problem::new(Code::AuthenticationRequired, "this call needs a service token"))
            }
            Caller::User(_) | Caller::Engine => {
                Err(Problem::new(Code::Forbidden, "this call needs a service token"))
            }
        }
    }
}
