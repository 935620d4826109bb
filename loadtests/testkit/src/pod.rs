//! The pods of a fleet: each in a directory of its own, with the database and the secret that they share.

use std::{
    fs::{self, OpenOptions},
    io::Write as _,
    net::SocketAddr,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use crate::server::Launch;

const SECRET: &[u8] = b"the-secret-that-the-pods-of-a-test-share-0123456789";

/// What the pods of one fleet have in common.
#[derive(Debug)]
pub struct Pods {
    /// The server's binary.
    program: PathBuf,
    directory: PathBuf,
    secret: PathBuf,
    settings: Vec<(String, String)>,
}

/// Where one pod listens.
#[derive(Debug, Clone, Copy)]
pub struct Ports {
    pub listen: SocketAddr,
    pub ops: SocketAddr,
    pub peer: SocketAddr,
}

impl From<[SocketAddr; 3]> for Ports {
    fn from([listen, ops, peer]: [SocketAddr; 3]) -> Self {
        Self { listen, ops, peer }
    }
}

impl Pods {
    /// `settings` are those of every pod, and may replace those that a fleet needs.
    pub fn new(
        program: &Path,
        database: &str,
        directory: &Path,
        settings: impl IntoIterator<Item = (String, String)>,
    ) -> anyhow::Result<Self> {
        let secret = directory.join("peer-secret");
        OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&secret)?
            .write_all(SECRET)?;
        let own = [("DATABASE_URL", database), ("SMARTCART_SEED", "none")];
        let own = own.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let settings = own.into_iter().chain(settings).collect();
        Ok(Self { program: program.to_owned(), directory: directory.to_owned(), secret, settings })
    }

    /// A pod that can be started.
    pub fn prepare(&self, name: &str, ports: Ports) -> anyhow::Result<Launch> {
        let directory = self.directory.join(format!("pod-{name}"));
        fs::create_dir_all(&directory)?;
        let own = [
            ("SMARTCART_POD", name.to_owned()),
            ("SMARTCART_PEER_LISTEN", ports.peer.to_string()),
            ("SMARTCART_PEER_ADVERTISE", ports.peer.to_string()),
            ("SMARTCART_PEER_SECRET_FILE", self.secret.display().to_string()),
        ];
        let shared = self.settings.iter().map(|(name, value)| (name.as_str(), value.clone()));
        let settings: Vec<_> = own.into_iter().chain(shared).collect();
        Launch::at(&self.program, &directory, [ports.listen, ports.ops], &settings)
    }
}
