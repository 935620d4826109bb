//! Calls of the registry: none is waited for without a bound.

use std::time::Duration;

use crate::registry::RegistryError;
use smartcart_domain::failure::Failure;

/// The call's answer; or, after the timeout, that whether it took effect is unknown.
pub(super) async fn within<T>(
    timeout: Duration,
    call: impl Future<Output = Result<T, RegistryError>>,
) -> Result<T, RegistryError> {
    tokio::time::timeout(timeout, call)
        .await
        .unwrap_or_else(|_| Err(Failure::indeterminate("no answer in time").into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_call_that_hangs_ends_and_its_outcome_is_unknown() {
        let hangs = within(Duration::from_secs(3), std::future::pending::<Result<(), RegistryError>>()).await;
        assert_eq!(hangs, Err(Failure::indeterminate("no answer in time").into()));
    }
}
