//! A disk that can be made slower while a server runs on it: a library in front of the server's fsync, built here
//! (`slow_fsync.c`), and a file that says by how much.

use std::{
    fs::{self, OpenOptions},
    io::Write as _,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context, ensure};
use tokio::process::Command;

const SOURCE: &str = include_str!("slow_fsync.c");

/// The built library.
#[derive(Debug)]
pub struct Library(PathBuf);

impl Library {
    pub async fn build(directory: &Path) -> anyhow::Result<Self> {
        let (source, library) = (directory.join("slow_fsync.c"), directory.join("slow_fsync.so"));
        fs::write(&source, SOURCE)?;
        let mut compiler = Command::new("cc");
        compiler.args(["-O2", "-Wall", "-Werror", "-shared", "-fPIC", "-o"]).arg(&library).arg(&source);
        let built = compiler.stdin(Stdio::null()).output().await.context("no C compiler here: cc")?;
        ensure!(
            built.status.success(),
            "cc ended with {}: {}",
            built.status,
            String::from_utf8_lossy(&built.stderr)
        );
        Ok(Self(library))
    }

    /// For one server, which is as fast as ever until it is slowed down. The file lies beside its directory.
    pub fn disk(&self, directory: &Path) -> anyhow::Result<Disk> {
        let control = directory.with_extension("fsync");
        fs::write(&control, [0; 8])?;
        Ok(Disk { library: self.0.clone(), control })
    }
}

/// What one server takes for its disk.
#[derive(Debug)]
pub struct Disk {
    library: PathBuf,
    /// As `slow_fsync.c` reads it.
    control: PathBuf,
}

impl Disk {
    /// What a server that runs upon it must be started with.
    pub fn environment(&self) -> Vec<(String, String)> {
        let variable = |name: &str, path: &Path| (name.to_owned(), path.display().to_string());
        vec![variable("LD_PRELOAD", &self.library), variable("SLOW_FSYNC", &self.control)]
    }

    /// From now on every fsync takes so much longer.
    pub fn slow_down(&self, by: Duration) -> anyhow::Result<()> {
        // In place: the server has the file in its memory.
        let mut control = OpenOptions::new().write(true).open(&self.control)?;
        control.write_all(&u32::try_from(by.as_micros())?.to_ne_bytes())?;
        Ok(())
    }

    /// How many were slowed down so far.
    pub fn pauses(&self) -> anyhow::Result<u32> {
        let control = fs::read(&self.control)?;
        let pauses = control.get(4..8).context("the file of a slower disk is short")?;
        Ok(u32::from_ne_bytes(pauses.try_into()?))
    }
}
