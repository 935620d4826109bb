//! Tasks without which a shop is not sound: when one of them panics, nothing is changed any more.

use std::sync::Arc;

use tokio::task::JoinHandle;

use crate::admission::AdmissionController;

/// Fail-stops when it is dropped by a panic. Whoever started the work need not wait for it to hear of that.
struct PanicGuard {
    what: &'static str,
    admission: Arc<AdmissionController>,
}

impl Drop for PanicGuard {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.admission.fail_stop(&format!("{} has panicked", self.what));
        }
    }
}

/// Spawns `work`, named as in "the lane".
pub(crate) fn spawn_guarded(
    what: &'static str,
    admission: &Arc<AdmissionController>,
    work: impl Future<Output = ()> + Send + 'static,
) -> JoinHandle<()> {
    let guard = PanicGuard { what, admission: admission.clone() };
    tokio::spawn(async move {
        let _guard = guard;
        work.await;
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_stops_changes_and_an_end_or_an_abort_does_not() {
        let admission = Arc::new(AdmissionController::new(1, None));
        spawn_guarded("work", &admission, async {}).await.unwrap();
        let aborted = spawn_guarded("work", &admission, std::future::pending());
        aborted.abort();
        assert!(aborted.await.is_err_and(|error| error.is_cancelled()));
        assert_eq!(admission.read_only(), None);
        let panicked = spawn_guarded("the lane", &admission, async { panic!("for the test") }).await;
        assert!(panicked.is_err_and(|error| error.is_panic()));
        assert_eq!(admission.read_only().as_deref(), Some("the lane has panicked"));
    }
}
