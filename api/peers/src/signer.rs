use std::{fmt, fs, path::Path, sync::OnceLock};

use bytes::Bytes;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use smartcart_domain::time::ShopTime;
use smartcart_engine::clock::ShopClock;

use crate::message::SignedMessage;

/// A message whose time differs this much from the receiver's shop time is refused, so that a copy is useless later.
const TOLERANCE_MS: u64 = 5 * 60 * 1000;
const MIN_BYTES: usize = 32;

/// Signs messages between pods: HMAC-SHA256 over method, time and body. The time is the shop's, which the pods share: a
/// pod whose wall clock jumps is still understood.
pub struct MessageSigner {
    secret: Vec<u8>,
    clock: OnceLock<ShopClock>,
}

#[derive(Debug, thiserror::Error)]
pub enum SignerError {
    #[error("cannot read the peers' secret in {path}: {error}")]
    Read { path: String, error: std::io::Error },
    #[error("the peers' secret in {path} must have at least {MIN_BYTES} bytes")]
    Weak { path: String },
}

impl fmt::Debug for MessageSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MessageSigner(..)")
    }
}

impl MessageSigner {
    pub fn from_file(path: &Path) -> Result<Self, SignerError> {
        let shown = || path.display().to_string();
        let text = fs::read(path).map_err(|error| SignerError::Read { path: shown(), error })?;
        let secret = text.trim_ascii().to_vec();
        if secret.len() < MIN_BYTES {
            return Err(SignerError::Weak { path: shown() });
        }
        Ok(Self { secret, clock: OnceLock::new() })
    }

    /// Until this is called, the time is the shop's first moment.
    pub fn keep_time_by(&self, clock: &ShopClock) {
        self.clock.get_or_init(|| clock.clone());
    }

    fn now(&self) -> ShopTime {
        self.clock.get().map_or(ShopTime(0), ShopClock::now)
    }

    fn mac(&self, method: &str, at: i64, body: &[u8]) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.secret).expect("HMAC takes a key of any length");
        mac.update(&(method.len() as u64).to_be_bytes());
        mac.update(method.as_bytes());
        mac.update(&at.to_be_bytes());
        mac.update(body);
        mac
    }

    pub(crate) fn sign(&self, method: &str, body: Bytes) -> SignedMessage {
        let ShopTime(at) = self.now();
        let signature = self.mac(method, at, &body).finalize().into_bytes();
        SignedMessage { signature: Bytes::copy_from_slice(&signature), at, body }
    }

    /// The body, if it was signed recently and with this secret.
    pub(crate) fn open(&self, method: &str, signed: SignedMessage) -> Option<Bytes> {
        let recent = self.now().0.abs_diff(signed.at) <= TOLERANCE_MS;
        let genuine = self.mac(method, signed.at, &signed.body).verify_slice(&signed.signature).is_ok();
        (recent && genuine).then_some(signed.body)
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use smartcart_domain::time::Timestamp;
    use smartcart_engine::clock::ManualClock;

    use super::*;

    fn signer(text: &str) -> MessageSigner {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        fs::write(&path, text).unwrap();
        MessageSigner::from_file(&path).unwrap()
    }

    #[test]
    fn what_one_pod_signs_another_opens_and_nobody_changes() {
        let (ours, theirs) = (signer(&"a".repeat(32)), signer(&"b".repeat(32)));
        let signed = ours.sign("/ask", Bytes::from_static(b"two mugs"));
        assert_eq!(ours.open("/ask", signed.clone()).unwrap(), "two mugs");
        assert!(ours.open("/probe", signed.clone()).is_none(), "for another method");
        assert!(theirs.open("/ask", signed.clone()).is_none(), "with another secret");
        let changed = SignedMessage { body: Bytes::from_static(b"ten mugs"), ..signed.clone() };
        assert!(ours.open("/ask", changed).is_none());
        let later = SignedMessage { at: signed.at + 1, ..signed };
        assert!(ours.open("/ask", later).is_none());
    }

    #[test]
    fn an_old_message_is_refused() {
        let signer = signer(&"a".repeat(40));
        let hands = Arc::new(ManualClock::at(Timestamp(0)));
        signer.keep_time_by(&ShopClock::starting_at(ShopTime(77_000_000), hands.clone()));
        let signed = signer.sign("/ask", Bytes::from_static(b"two mugs"));
        hands.set_wall(Timestamp(3_600_000));
        hands.advance(Duration::from_secs(4 * 60));
        assert!(signer.open("/ask", signed.clone()).is_some(), "a jump of the wall clock is no age");
        hands.advance(Duration::from_secs(2 * 60));
        assert!(signer.open("/ask", signed).is_none());
    }

    #[test]
    fn a_short_secret_is_no_secret() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        fs::write(&path, "hunter2\n").unwrap();
        assert!(matches!(MessageSigner::from_file(&path), Err(SignerError::Weak { .. })));
        assert!(matches!(
            MessageSigner::from_file(&folder.path().join("none")),
            Err(SignerError::Read { .. })
        ));
    }
}
