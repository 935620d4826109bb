use crate::{auth::Identity, problem::Problem};

/// Who may make a call. An endpoint's `security` says the same to clients, and a test compares them.
pub trait Access: 'static {
    fn admit(identity: &Identity) -> Result<(), Problem>;
}

/// Guests too: what they may do is decided by what they ask for.
#[derive(Debug, Clone, Copy)]
pub struct Anyone;

/// A signed-in shopper.
#[derive(Debug, Clone, Copy)]
pub struct Shopper;

/// The shop itself.
#[derive(Debug, Clone, Copy)]
pub struct Service;

impl Access for Anyone {
    fn admit(_: &Identity) -> Result<(), Problem> {
        Ok(())
    }
}

impl Access for Shopper {
    fn admit(identity: &Identity) -> Result<(), Problem> {
        identity.shopper().map(|_| ())
    }
}

impl Access for Service {
    fn admit(identity: &Identity) -> Result<(), Problem> {
        identity.service()
    }
}
