use std::sync::Arc;

use crate::{signer::MessageSigner, tls::PeerTls};

/// How pods trust each other.
#[derive(Debug, Clone)]
pub enum Trust {
    Secret(Arc<MessageSigner>),
    Tls(Arc<PeerTls>),
}
