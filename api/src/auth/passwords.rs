use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use argon2::{
    Argon2,
    password_hash::{PasswordHasher as _, PasswordVerifier as _, phc::PasswordHash},
};
use smartcart_domain::id::random_bytes;
use tokio::sync::Semaphore;

use crate::problem::{Code, Problem};

/// Hashing is slow on purpose, so it is rationed: it must not take the processor from carts and stock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PasswordConfig {
    /// Hashes computed at the same time.
    pub concurrency: usize,
    /// Requests that wait for their turn; more are refused with 503.
    pub queue: usize,
}

impl Default for PasswordConfig {
    fn default() -> Self {
        Self { concurrency: 1, queue: 32 }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("hashing a password failed: {0}")]
pub struct HashingError(String);

/// Argon2id with the crate's defaults, which are those that OWASP recommends: 19 MiB, two passes, one lane.
#[derive(Debug)]
pub struct Passwords {
    turns: Arc<Semaphore>,
    inside: AtomicUsize,
    admitted: usize,
    /// A hash that no password has: verified when there is no such account, so that the answer takes as long.
    nobody: Arc<str>,
}

/// Leaves the queue when the request is done or dropped.
struct QueuePlace<'a>(&'a AtomicUsize);

impl Drop for QueuePlace<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Passwords {
    pub fn new(config: PasswordConfig) -> Result<Self, HashingError> {
        Ok(Self {
            turns: Arc::new(Semaphore::new(config.concurrency)),
            inside: AtomicUsize::new(0),
            admitted: config.concurrency + config.queue,
            nobody: hash(&random_bytes::<16>())?.into(),
        })
    }

    /// A PHC string for the store.
    pub async fn hash(&self, password: String) -> Result<String, Problem> {
        self.rationed(move || hash(password.as_bytes())).await?.map_err(|error| Problem::internal(&error))
    }

    /// A number for what has passwords in it: the same for the same text and salt, and as slow to try as an account's.
    pub async fn fingerprint(&self, text: String, salt: u128) -> Result<u64, Problem> {
        let number = move || fingerprint(text.as_bytes(), &salt.to_be_bytes());
        self.rationed(number).await?.map_err(|error| Problem::internal(&error))
    }

    /// Whether the password is the account's. Without an account the answer is no, and takes as long.
    pub async fn verify(&self, password: String, stored: Option<String>) -> Result<bool, Problem> {
        let nobody = self.nobody.clone();
        self.rationed(move || match stored {
            Some(stored) => verify(password.as_bytes(), &stored),
            None => verify(password.as_bytes(), &nobody).map(|_| false),
        })
        .await?
        .map_err(|error| Problem::internal(&error))
    }

    async fn rationed<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Problem> {
        let place = QueuePlace(&self.inside);
        if self.inside.fetch_add(1, Ordering::Relaxed) >= self.admitted {
            return Err(Problem::new(Code::Overloaded, "too many sign-ins at the moment")
                .with("reason", "passwords")
                .retry_after(Duration::from_secs(2)));
        }
        let turn = self.turns.clone().acquire_owned().await.map_err(|error| Problem::internal(&error))?;
        let done = tokio::task::spawn_blocking(move || {
            let done = work();
            drop(turn);
            done
        })
        .await
        .map_err(|error| Problem::internal(&error));
        drop(place);
        done
    }
}

fn hash(password: &[u8]) -> Result<String, HashingError> {
    let salt = random_bytes::<16>();
    let hashed: Result<PasswordHash, _> = Argon2::default().hash_password_with_salt(password, &salt);
    hashed.map(|hash| hash.to_string()).map_err(|error| HashingError(error.to_string()))
}

fn fingerprint(text: &[u8], salt: &[u8]) -> Result<u64, HashingError> {
    let mut number = [0; 8];
    let hashed = Argon2::default().hash_password_into(text, salt, &mut number);
    hashed.map(|()| u64::from_be_bytes(number)).map_err(|error| HashingError(error.to_string()))
}

fn verify(password: &[u8], stored: &str) -> Result<bool, HashingError> {
    use argon2::password_hash::Error;
    match Argon2::default().verify_password(password, stored) {
        Ok(()) => Ok(true),
        Err(Error::PasswordInvalid) => Ok(false),
        Err(error) => Err(HashingError(error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_right_password_is_accepted() {
        let passwords = Passwords::new(PasswordConfig::default()).unwrap();
        let stored = passwords.hash("correct horse".to_owned()).await.unwrap();
        assert!(stored.starts_with("$argon2id$"));
        assert!(passwords.verify("correct horse".to_owned(), Some(stored.clone())).await.unwrap());
        assert!(!passwords.verify("wrong horse".to_owned(), Some(stored)).await.unwrap());
        assert!(!passwords.verify("correct horse".to_owned(), None).await.unwrap());
    }

    #[tokio::test]
    async fn a_fingerprint_is_of_a_text_and_a_salt() {
        let passwords = Passwords::new(PasswordConfig::default()).unwrap();
        let of = async |text: &str, salt| passwords.fingerprint(text.to_owned(), salt).await.unwrap();
        assert_eq!(of("correct horse", 1).await, of("correct horse", 1).await);
        assert_ne!(of("correct horse", 1).await, of("wrong horse", 1).await);
        assert_ne!(of("correct horse", 1).await, of("correct horse", 2).await);
    }

    #[tokio::test]
    async fn more_than_the_queue_holds_is_refused() {
        let passwords = Passwords::new(PasswordConfig { concurrency: 1, queue: 0 }).unwrap();
        let (first, second) =
            tokio::join!(passwords.hash("one".to_owned()), passwords.hash("two".to_owned()));
        assert!(first.is_ok());
        assert_eq!(second.unwrap_err().code(), Code::Overloaded);
    }
}
