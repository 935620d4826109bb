//! TCP ports of this machine for servers under test, and for the proxies before them.

use std::{
    fs::{File, TryLockError, create_dir_all},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    ops::Range,
    sync::{Mutex, PoisonError},
};

use anyhow::{Context, bail};

/// All ports lie below the range that the system draws the ports of outgoing connections from: while a server is dead, none of
/// its clients' connections may take its port.
const FIRST: u16 = 20_000;
const BLOCK: u16 = 100;
const BLOCKS: u16 = 110;

/// Ports that are this process's until it ends, however many others look for some meanwhile: a port that was found free is free
/// for everybody until somebody listens. `reserve_ports` in scripts/lib.sh takes the same locks.
struct Reserved {
    left: Range<u16>,
    _lock: File,
}

static RESERVED: Mutex<Option<Reserved>> = Mutex::new(None);

/// So many ports that nobody listens on, none of them given out twice by this process or to another.
pub fn free_ports(count: usize) -> anyhow::Result<Vec<SocketAddr>> {
    (0..count).map(|_| free_port()).collect()
}

pub fn free_port() -> anyhow::Result<SocketAddr> {
    Ok(listener()?.local_addr()?)
}

/// Listens on such a port.
pub(crate) fn listener() -> anyhow::Result<TcpListener> {
    let mut reserved = RESERVED.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        while let Some(port) = reserved.as_mut().and_then(|block| block.left.next()) {
            if let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
                return Ok(listener);
            }
        }
        *reserved = Some(reserve(reserved.take())?);
    }
}

/// Another block. What was used up stays locked: its servers may only be dead for a moment.
fn reserve(used_up: Option<Reserved>) -> anyhow::Result<Reserved> {
    std::mem::forget(used_up);
    let locks = std::env::temp_dir().join("ports");
    create_dir_all(&locks)?;
    // Processes that were started one after the other look far from each other.
    let start = std::process::id().wrapping_mul(79);
    for step in 0..u32::from(BLOCKS) {
        let block = u16::try_from(start.wrapping_add(step) % u32::from(BLOCKS))?;
        let first = FIRST + block * BLOCK;
        let path = locks.join(first.to_string());
        let lock = File::create(&path).with_context(|| path.display().to_string())?;
        match lock.try_lock() {
            Ok(()) => return Ok(Reserved { left: first..first + BLOCK, _lock: lock }),
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) => return Err(error).with_context(|| path.display().to_string()),
        }
    }
    bail!("every port is reserved: see {}", locks.display())
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_port_is_given_out_twice() {
        let mut ports: HashSet<_> = free_ports(70).unwrap().into_iter().collect();
        ports.extend(free_ports(70).unwrap());
        assert_eq!(ports.len(), 140);
        assert!(ports.iter().all(|port| (FIRST..FIRST + BLOCK * BLOCKS).contains(&port.port())));
    }
}
