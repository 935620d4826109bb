use std::{path::PathBuf, sync::Arc};

use smartcart_engine::engine::Engine;
use smartcart_persistence::sqlite::Embedded;

use crate::changes::Changes;

/// What there is once the service is open.
#[derive(Debug)]
pub struct Opened {
    pub engine: Arc<Engine>,
    /// Those that are tasks of their own.
    pub changes: Changes,
    /// The files of a shop of one process.
    pub embedded: Option<Embedded>,
    /// Where their copies go: a folder for each.
    pub backups: PathBuf,
}
