use std::{
    fmt, fs,
    io::ErrorKind,
    net::{SocketAddr, TcpListener},
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::ExitCode,
};

use smartcart_persistence::{
    error::{OpenError, RedisError},
    postgres,
    redis::{Server, Settings},
    sqlite,
};

use crate::{
    auth::ServiceToken,
    config::{Config, PeerConfig, StorageConfig, TrustConfig},
};
use smartcart_peers::{MessageSigner, PeerTls};

/// What a check found, or what to do about it.
type Finding = Result<String, String>;

pub(super) async fn run(config: &Config) -> anyhow::Result<ExitCode> {
    let database = database(&config.storage).await;
    let runs = matches!(database, Ok(Database::InUse));
    let mut checks = vec![
        ("settings", Ok("they are valid".to_owned())),
        ("folder", folder(&config.storage.folder())),
        ("database", database.map(|found| found.to_string())),
        ("service token", token(&config.admin_token_file)),
        ("API listener", listener("SMARTCART_LISTEN", config.api.listen, runs)),
        ("operations listener", listener("SMARTCART_OPS_LISTEN", config.ops.listen, runs)),
        ("operations exposure", exposure(config.ops.listen)),
        ("open files", open_files(config.api.connections)),
    ];
    if let Some(settings) = &config.storage.journal {
        checks.push(("journal", journal(settings).await));
    }
    match config.peers() {
        Ok(None) => {}
        Ok(Some(peers)) => {
            checks.push(("peers' listener", listener("SMARTCART_PEER_LISTEN", peers.listen, runs)));
            checks.push(("peers' trust", trust(&peers)));
        }
        Err(error) => checks.push(("peers", Err(error.to_string()))),
    }
    let mut well = true;
    for (name, finding) in checks {
        match finding {
            Ok(found) => println!("ok    {name}: {found}"),
            Err(remedy) => {
                well = false;
                println!("FAIL  {name}: {remedy}");
            }
        }
    }
    Ok(if well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn folder(folder: &Path) -> Finding {
    let shown = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    fs::create_dir_all(shown)
        .and_then(|()| tempfile_in(shown))
        .map(|()| format!("{} is writable", shown.display()))
        .map_err(|error| {
            format!(
                "{} is not writable ({error}); give this user the folder, or set DATABASE_URL",
                shown.display()
            )
        })
}

fn tempfile_in(folder: &Path) -> std::io::Result<()> {
    let probe = folder.join(format!(".doctor-{}", std::process::id()));
    fs::write(&probe, b"probe")?;
    fs::remove_file(probe)
}

enum Database {
    Ready,
    InUse,
}

impl fmt::Display for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ready => "it opens and has this version's schema",
            Self::InUse => "it is in use: a server is running",
        })
    }
}

async fn database(config: &StorageConfig) -> Result<Database, String> {
    if config.is_shared() {
        return match postgres::migrate(&config.database_url).await {
            Ok(()) => Ok(Database::Ready),
            Err(error) => Err(error.to_string()),
        };
    }
    match sqlite::migrate(&config.database_url).await {
        Ok(()) => Ok(Database::Ready),
        Err(OpenError::InUse { .. }) => Ok(Database::InUse),
        Err(error) => Err(error.to_string()),
    }
}

async fn journal(settings: &Settings) -> Finding {
    let found = async { Server::new(settings)?.durability().await };
    found
        .await
        .map(|durability| format!("Redis: {durability}"))
        .map_err(|error: RedisError| error.to_string())
}

fn token(path: &Path) -> Finding {
    if !path.exists() {
        return Ok(format!("{} will be created at the first start", path.display()));
    }
    ServiceToken::load(path).map_err(|error| error.to_string())?;
    let mode = fs::metadata(path).map_err(|error| error.to_string())?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(format!("{} can be read by others (mode {mode:o}); chmod 600 it", path.display()));
    }
    Ok(format!("{} is readable by its owner only", path.display()))
}

fn listener(setting: &str, address: SocketAddr, server_runs: bool) -> Finding {
    match TcpListener::bind(address) {
        Ok(_) => Ok(format!("{address} is free")),
        Err(error) if server_runs && error.kind() == ErrorKind::AddrInUse => {
            Ok(format!("{address} is in use by a running server"))
        }
        Err(error) => Err(format!(
            "{address} is not available ({error}); stop the process that uses it, or set {setting}"
        )),
    }
}

fn trust(peers: &PeerConfig) -> Finding {
    match &peers.trust {
        TrustConfig::Secret(path) => MessageSigner::from_file(path)
            .map(|_| "a shared secret".to_owned())
            .map_err(|error| error.to_string()),
        TrustConfig::Tls(files) => {
            PeerTls::load(files.clone()).map(|_| "mutual TLS".to_owned()).map_err(|error| error.to_string())
        }
    }
}

/// Each connection is an open file.
fn open_files(connections: usize) -> Finding {
    const OTHERS: usize = 64;
    let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    let Some(allowed) = line.and_then(|line| line.split_whitespace().next()?.parse::<usize>().ok()) else {
        return Ok("the limit is unknown".to_owned());
    };
    if allowed < connections + OTHERS {
        return Err(format!(
            "{allowed} are allowed, for up to {connections} connections; raise `ulimit -n` to {}, or lower SMARTCART_MAX_CONNECTIONS",
            connections + OTHERS
        ));
    }
    Ok(format!("{allowed} are allowed"))
}

fn exposure(address: SocketAddr) -> Finding {
    if address.ip().is_loopback() {
        return Ok(format!("{address} is reachable from this machine only"));
    }
    Ok(format!("{address} is open to other machines: let only operators and Prometheus reach it"))
}
