use std::{fmt, time::Duration};

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use smartcart_domain::{
    id::{IdSecret, SessionId, UserId},
    time::Timestamp,
};

/// Short-lived tokens (JWT, HS256) that are checked without asking the store.
pub struct AccessTokens {
    signing: EncodingKey,
    verifying: DecodingKey,
    validation: Validation,
    lifetime: Duration,
}

#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    sub: UserId,
    sid: SessionId,
    /// Seconds since 1970.
    iat: i64,
    exp: i64,
}

/// What a valid token says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grant {
    pub user: UserId,
    pub session: SessionId,
}

impl fmt::Debug for AccessTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessTokens").field("lifetime", &self.lifetime).finish_non_exhaustive()
    }
}

impl AccessTokens {
    pub fn new(secret: &IdSecret, lifetime: Duration) -> Self {
        let mut key = [0; 32];
        for (half, name) in key.chunks_exact_mut(16).zip([b"1", b"2"]) {
            half.copy_from_slice(&secret.derive("access-token", &[name]).to_be_bytes());
        }
        let mut validation = Validation::new(Algorithm::HS256);
        // Time comes from the shop's clock, below.
        validation.validate_exp = false;
        Self {
            signing: EncodingKey::from_secret(&key),
            verifying: DecodingKey::from_secret(&key),
            validation,
            lifetime,
        }
    }

    pub const fn lifetime(&self) -> Duration {
        self.lifetime
    }

    pub fn issue(
        &self,
        user: UserId,
        session: SessionId,
        now: Timestamp,
    ) -> Result<String, jsonwebtoken::errors::Error> {
        let claims =
            Claims { sub: user, sid: session, iat: now.0 / 1000, exp: now.plus(self.lifetime).0 / 1000 };
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.signing)
    }

    /// What the token grants, or nothing when it is forged, of another algorithm or expired.
    pub fn verify(&self, token: &str, now: Timestamp) -> Option<Grant> {
        let claims = jsonwebtoken::decode::<Claims>(token, &self.verifying, &self.validation).ok()?.claims;
        (now.0 / 1000 < claims.exp).then_some(Grant { user: claims.sub, session: claims.sid })
    }
}

#[cfg(test)]
mod tests {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

    use super::*;

    const NOW: Timestamp = Timestamp(1_700_000_000_000);
    const LIFETIME: Duration = Duration::from_secs(900);

    fn tokens(secret: u8) -> AccessTokens {
        AccessTokens::new(&IdSecret::new([secret; 32]), LIFETIME)
    }

    #[test]
    fn a_token_grants_what_it_was_issued_for_until_it_expires() {
        let grant = Grant { user: UserId(1), session: SessionId(2) };
        let token = tokens(1).issue(grant.user, grant.session, NOW).unwrap();
        assert_eq!(tokens(1).verify(&token, NOW), Some(grant));
        assert_eq!(tokens(1).verify(&token, NOW.plus(LIFETIME)), None);
        assert_eq!(tokens(2).verify(&token, NOW), None);
    }

    #[test]
    fn an_unsigned_token_grants_nothing() {
        let token = tokens(1).issue(UserId(1), SessionId(2), NOW).unwrap();
        let claims = token.split('.').nth(1).unwrap();
        let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"JWT"}"#);
        assert_eq!(tokens(1).verify(&format!("{header}.{claims}."), NOW), None);
    }
}
