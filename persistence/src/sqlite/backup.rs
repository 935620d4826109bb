//! A copy of a running shop: two files that belong together, to be put in the places of the shop's own.

use std::{fs::File, path::Path};

use sqlx::{ConnectOptions as _, Connection as _};

use super::{
    files::{Files, connect_options, copy_into},
    journal::SqliteJournal,
};
use crate::{directory, error::BackupError};

/// Copies the shop's files into a new folder. The shop goes on; changes wait while the journal is copied, which is small unless the
/// tables are far behind. It has all that was acknowledged when it began.
pub(super) async fn copy(files: &Files, journal: &SqliteJournal, to: &Path) -> Result<(), BackupError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| BackupError::File { path, source }
    };
    directory::create(to).map_err(failed(to))?;
    let copies = files.in_folder(to);
    // What the copied tables have not got must be in the copied journal: nothing is forgotten in between.
    let _kept = journal.keep().await;
    let mut tables = connect_options(&files.tables).connect().await?;
    copy_into(&mut tables, &copies.tables).await?;
    tables.close().await?;
    journal.copy_into(&copies.journal).await?;
    for file in [&copies.tables, &copies.journal, &to.to_owned()] {
        // SQLite does not wait for the disk here.
        File::open(file).and_then(|file| file.sync_all()).map_err(failed(file))?;
    }
    Ok(())
}
