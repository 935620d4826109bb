//! Free TCP ports of this machine.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    sync::atomic::{AtomicU16, Ordering},
};

use anyhow::bail;

/// Ports of servers under test. They lie below the range that the system draws the ports of outgoing connections from:
/// while a server is dead, none of its clients' connections may take its port.
const FIRST: u16 = 20_000;
const COUNT: u16 = 10_990;
/// Where proxies listen, apart from the servers: those are free between two starts.
const FIRST_OF_PROXIES: u16 = 31_000;
const COUNT_OF_PROXIES: u16 = 1_767;

/// How far this process has come, so that no two servers of one process are given the same port.
static SERVERS: AtomicU16 = AtomicU16::new(0);
static PROXIES: AtomicU16 = AtomicU16::new(0);

/// So many ports that nobody listens on, none of them given out twice by this process.
pub fn free_ports(count: usize) -> anyhow::Result<Vec<SocketAddr>> {
    let mut held = Vec::with_capacity(count);
    while held.len() < count {
        held.push(listener(&SERVERS, FIRST, COUNT)?);
    }
    Ok(held.iter().map(TcpListener::local_addr).collect::<Result<_, _>>()?)
}

pub fn free_port() -> anyhow::Result<SocketAddr> {
    Ok(listener(&SERVERS, FIRST, COUNT)?.local_addr()?)
}

/// A listener where no server under test looks for a port.
pub(crate) fn proxy_listener() -> anyhow::Result<TcpListener> {
    listener(&PROXIES, FIRST_OF_PROXIES, COUNT_OF_PROXIES)
}

fn listener(next: &AtomicU16, first: u16, count: u16) -> anyhow::Result<TcpListener> {
    // Processes that were started one after the other look far from each other.
    let start = std::process::id().wrapping_mul(7_919);
    for _ in 0..count {
        let step = u32::from(next.fetch_add(1, Ordering::Relaxed));
        let port = u32::from(first) + start.wrapping_add(step) % u32::from(count);
        if let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, u16::try_from(port)?)) {
            return Ok(listener);
        }
    }
    bail!("no free port among the {count} from {first} on")
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_port_is_given_out_twice() {
        let mut ports: HashSet<_> = free_ports(50).unwrap().into_iter().collect();
        ports.extend(free_ports(50).unwrap());
        assert_eq!(ports.len(), 100);
        assert!(ports.iter().all(|port| (FIRST..FIRST + COUNT).contains(&port.port())));
    }
}
