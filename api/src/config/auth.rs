use std::{path::PathBuf, time::Duration};

use super::{
    setting::{ConfigError, positive, settings},
    storage::StorageConfig,
};
use crate::auth::{AuthConfig, PasswordConfig};

settings! {
    /// Tokens and passwords.
    AuthSettings {
        /// The file of the service token; made when it is not there [admin-token beside the database]
        admin_token_file: PathBuf = "SMARTCART_ADMIN_TOKEN_FILE",
        /// Seconds that an access token is good for [900]
        access_token_seconds: u64 = "SMARTCART_ACCESS_TOKEN_SECONDS",
        /// Days after which a session that was not refreshed ends [30]
        refresh_token_days: u64 = "SMARTCART_REFRESH_TOKEN_DAYS",
        /// Seconds that a refresh token is still taken after its use, for another tab or a lost answer [10]
        refresh_grace_seconds: u64 = "SMARTCART_REFRESH_GRACE_SECONDS",
        /// Passwords hashed at the same time [1]
        password_concurrency: usize = "SMARTCART_PASSWORD_CONCURRENCY",
        /// Sign-ins that wait for that; more are refused [32]
        password_queue: usize = "SMARTCART_PASSWORD_QUEUE",
    }
}

const DAY: u64 = 24 * 60 * 60;

impl AuthSettings {
    pub fn build(self, storage: &StorageConfig) -> Result<(PathBuf, AuthConfig), ConfigError> {
        let file = self.admin_token_file.unwrap_or_else(|| storage.folder().join("admin-token"));
        let passwords = PasswordConfig::default();
        let days = positive("refresh_token_days", self.refresh_token_days.unwrap_or(30))?;
        let config = AuthConfig {
            access_lifetime: Duration::from_secs(positive(
                "access_token_seconds",
                self.access_token_seconds.unwrap_or(15 * 60),
            )?),
            refresh_lifetime: Duration::from_secs(days.saturating_mul(DAY)),
            refresh_grace: Duration::from_secs(self.refresh_grace_seconds.unwrap_or(10)),
            passwords: PasswordConfig {
                concurrency: positive(
                    "password_concurrency",
                    self.password_concurrency.unwrap_or(passwords.concurrency),
                )?,
                queue: self.password_queue.unwrap_or(passwords.queue),
            },
        };
        Ok((file, config))
    }
}
