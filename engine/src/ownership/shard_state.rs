//! The states of a shard on this pod, and every transition between them.
//!
//! ```text
//!             Acquire              Drain                Transfer                  AskRegistry
//!   Remote ------------> Owned ------------> Draining ------------> Transferring ------------> OutcomeUnknown
//!    |  ^                  ^                    |                        |                        |    |
//!    |  | Learn            +------ Restore -----+-------- Restore -------+                        |    |
//!    +--+                  +-------------------------------- Keep --------------------------------+    |
//!       ^------------------------------------------------- Release -------------------------------------+
//! ```

use std::sync::Arc;

use crate::registry::{Epoch, Member};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(u8)]
pub(crate) enum ShardState {
    /// Another pod's, or nobody's.
    #[default]
    Remote = 0,
    Owned = 1,
    /// No change enters; those inside finish. Readers are still served.
    Draining = 2,
    /// The tables have all of it, and memory is being cleared: nobody is served.
    Transferring = 3,
    /// The registry was asked to write a new owner, and has not said whether it did: nobody is served.
    OutcomeUnknown = 4,
}

/// Where a shard is, as this pod knows it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ownership {
    pub(crate) state: ShardState,
    pub(crate) epoch: Epoch,
    /// Who serves it, while it is `Remote`.
    pub(crate) owner: Option<Arc<Member>>,
}

#[derive(Debug, Clone)]
pub(crate) enum Transition {
    /// The registry's row says that it is this pod's since `epoch`.
    Acquire {
        epoch: Epoch,
    },
    /// The registry's row says that it is another's, or nobody's, since `epoch`.
    Learn {
        epoch: Epoch,
        owner: Option<Arc<Member>>,
    },
    Drain,
    Transfer,
    AskRegistry,
    /// The handover ended before the registry was asked.
    Restore,
    /// The registry has not moved it from `epoch`, and will not: a call that was abandoned has ended before this one was
    /// answered, as [`Registry::hand_over`](crate::registry::Registry::hand_over) promises.
    Keep {
        epoch: Epoch,
    },
    /// The registry has given it away at `epoch`.
    Release {
        epoch: Epoch,
        owner: Option<Arc<Member>>,
    },
}

/// The shard is not in a state, or at an epoch, in which this can happen to it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a shard that is {state:?} at epoch {} cannot do this", epoch.0)]
pub(crate) struct IllegalTransition {
    pub(crate) state: ShardState,
    pub(crate) epoch: Epoch,
}

impl Ownership {
    pub(crate) fn after(&self, transition: Transition) -> Result<Self, IllegalTransition> {
        use ShardState::{Draining, OutcomeUnknown, Owned, Remote, Transferring};
        let to = |state| Ok(Self { state, epoch: self.epoch, owner: None });
        match (self.state, transition) {
            (Remote, Transition::Acquire { epoch }) if epoch > self.epoch => {
                Ok(Self { state: Owned, epoch, owner: None })
            }
            (Remote, Transition::Learn { epoch, owner }) if epoch >= self.epoch => {
                Ok(Self { state: Remote, epoch, owner })
            }
            (Owned, Transition::Drain) => to(Draining),
            (Draining, Transition::Transfer) => to(Transferring),
            (Transferring, Transition::AskRegistry) => to(OutcomeUnknown),
            (Draining | Transferring, Transition::Restore) => to(Owned),
            (OutcomeUnknown, Transition::Keep { epoch }) if epoch == self.epoch => to(Owned),
            (OutcomeUnknown, Transition::Release { epoch, owner }) if epoch > self.epoch => {
                Ok(Self { state: Remote, epoch, owner })
            }
            _ => Err(IllegalTransition { state: self.state, epoch: self.epoch }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ShardState::{Draining, OutcomeUnknown, Owned, Remote, Transferring};

    const ALL: [ShardState; 5] = [Remote, Owned, Draining, Transferring, OutcomeUnknown];

    /// What becomes of a shard at epoch 5.
    fn becomes(state: ShardState, transition: &Transition) -> Option<(ShardState, u64)> {
        let before = Ownership { state, epoch: Epoch(5), owner: None };
        before.after(transition.clone()).ok().map(|after| (after.state, after.epoch.0))
    }

    fn only(transition: &Transition, legal: &[(ShardState, ShardState, u64)]) {
        for state in ALL {
            let expected = legal.iter().find(|(from, ..)| *from == state).map(|(_, to, epoch)| (*to, *epoch));
            assert_eq!(becomes(state, transition), expected, "{transition:?} while {state:?}");
        }
    }

    #[test]
    fn a_shard_is_acquired_only_at_a_higher_epoch() {
        only(&Transition::Acquire { epoch: Epoch(6) }, &[(Remote, Owned, 6)]);
        only(&Transition::Acquire { epoch: Epoch(5) }, &[]);
    }

    #[test]
    fn what_is_elsewhere_is_learnt_only_of_remote_shards_and_never_backwards() {
        let learn = |epoch| Transition::Learn { epoch: Epoch(epoch), owner: None };
        only(&learn(7), &[(Remote, Remote, 7)]);
        only(&learn(5), &[(Remote, Remote, 5)]);
        only(&learn(4), &[]);
    }

    #[test]
    fn a_handover_passes_every_state_in_order() {
        only(&Transition::Drain, &[(Owned, Draining, 5)]);
        only(&Transition::Transfer, &[(Draining, Transferring, 5)]);
        only(&Transition::AskRegistry, &[(Transferring, OutcomeUnknown, 5)]);
    }

    #[test]
    fn a_shard_is_restored_only_before_the_registry_was_asked() {
        only(&Transition::Restore, &[(Draining, Owned, 5), (Transferring, Owned, 5)]);
    }

    #[test]
    fn only_the_registrys_word_about_this_epoch_ends_an_unknown_outcome() {
        only(&Transition::Keep { epoch: Epoch(5) }, &[(OutcomeUnknown, Owned, 5)]);
        only(&Transition::Keep { epoch: Epoch(4) }, &[]);
        let release = |epoch| Transition::Release { epoch: Epoch(epoch), owner: None };
        only(&release(6), &[(OutcomeUnknown, Remote, 6)]);
        only(&release(5), &[]);
    }
}
