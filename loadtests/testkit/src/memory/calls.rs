//! The registry's calls, each kind counted and scripted by itself.

use std::collections::{HashMap, VecDeque};

use parking_lot::Mutex;

use super::faults::{Away, Fate, Faults, RegistryFault};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RegistryCall {
    Join,
    Heartbeat,
    Shards,
    Claim,
    HandOver,
    Leave,
    Deregister,
    DeclareDead,
    TakeOver,
    /// Of a takeover.
    Finish,
}

#[derive(Debug, Default)]
pub(super) struct Calls(Mutex<HashMap<RegistryCall, Script>>);

#[derive(Debug, Default)]
struct Script {
    called: usize,
    faults: VecDeque<RegistryFault>,
}

impl Calls {
    pub(super) fn inject(&self, into: RegistryCall, faults: impl IntoIterator<Item = RegistryFault>) {
        self.0.lock().entry(into).or_default().faults.extend(faults);
    }

    pub(super) fn count(&self, of: RegistryCall) -> usize {
        self.0.lock().get(&of).map_or(0, |script| script.called)
    }

    /// The way of a call there. What was injected into its kind comes before what was injected into all.
    pub(super) async fn call(
        &self,
        call: RegistryCall,
        line: &Faults<RegistryFault>,
    ) -> Result<Fate<RegistryFault>, Away> {
        let scripted = {
            let mut scripts = self.0.lock();
            let script = scripts.entry(call).or_default();
            script.called += 1;
            script.faults.pop_front()
        };
        let fate = match scripted {
            Some(fault) => line.suffer(fault).await?,
            None => line.call().await?,
        };
        if fate.fault == Some(RegistryFault::Hang) {
            std::future::pending::<()>().await;
        }
        Ok(fate)
    }
}
