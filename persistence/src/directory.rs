//! Directories whose names survive a power cut: a file's own fsync says nothing of the directories that lead to it.

use std::{
    fs::{DirBuilder, File},
    io,
    os::unix::fs::DirBuilderExt as _,
    path::Path,
};

/// Creates a directory, and those above it that are missing, for their owner alone. All their names are durable then.
pub fn create(directory: &Path) -> io::Result<()> {
    let directory = std::path::absolute(directory)?;
    let parents = parents_of_new(&directory);
    DirBuilder::new().recursive(true).mode(0o700).create(&directory)?;
    parents.into_iter().try_for_each(sync)
}

/// Makes the names in a directory durable.
pub fn sync(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

/// Each directory that gets a new name: the lowest first.
fn parents_of_new(directory: &Path) -> Vec<&Path> {
    directory.ancestors().take_while(|ancestor| !ancestor.exists()).filter_map(Path::parent).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_directory_that_gets_a_new_name_is_synced() {
        let folder = tempfile::tempdir().unwrap();
        let lowest = folder.path().join("shop/deeper/data");
        let expected =
            [folder.path().join("shop/deeper"), folder.path().join("shop"), folder.path().to_owned()];
        assert_eq!(parents_of_new(&lowest), expected);
        create(&lowest).unwrap();
        assert!(lowest.is_dir() && parents_of_new(&lowest).is_empty());
        create(&lowest).unwrap();
    }
}
