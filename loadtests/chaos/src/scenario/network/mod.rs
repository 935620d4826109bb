//! Pods whose networks fail: each has a proxy of its own to PostgreSQL, one to Redis, when there is one, and one in front of
//! its listener for peers.

mod ground;
mod isolated;
mod lost_answers;
mod ping;
mod unreachable;

pub(super) use isolated::{cut_both, cut_postgres};
pub(super) use lost_answers::{lost_appends, lost_commits};
pub(super) use unreachable::run as cut_peers;
