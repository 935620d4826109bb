//! What a scenario finds.

use std::sync::Arc;

use smartcart_testkit::{fleet::Fleet, report::Violation};

use crate::{session::Session, verify};

#[derive(Debug, Default)]
pub struct Verdict {
    pub line: String,
    pub violations: Vec<Violation>,
}

impl Verdict {
    pub(super) fn violation(&mut self, rule: &'static str, what: impl Into<String>) {
        self.violations.push(Violation::new(rule, what));
    }

    /// Everything the clients know, once more; then the fleet ends in good order, and the server's own audit agrees.
    pub(super) async fn finish(
        &mut self,
        fleet: &mut Fleet,
        session: Option<&Arc<Session>>,
    ) -> anyhow::Result<()> {
        if let Some(session) = session {
            self.violations.extend(verify::everything(session).await);
        }
        fleet.check_alive()?;
        fleet.level().await?;
        if let Err(error) = fleet.finish().await {
            self.violation("finish", format!("{error:#}"));
        }
        Ok(())
    }
}
