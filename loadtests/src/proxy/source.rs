//! Which process has opened a connection: the processes of this machine share one address, so their sockets tell them apart.

use std::{fs, io, net::SocketAddr};

/// The process that has the client's end of a connection to `server`; none when it is gone, or another user's.
pub(super) fn process_of(client: SocketAddr, server: SocketAddr) -> io::Result<Option<u32>> {
    let Some(inode) = socket_between(&fs::read_to_string("/proc/net/tcp")?, client, server) else {
        return Ok(None);
    };
    let socket = format!("socket:[{inode}]");
    for entry in fs::read_dir("/proc")? {
        let entry = entry?;
        let Some(process) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        // Processes end while they are looked at, and some are not ours to look at.
        let Ok(files) = fs::read_dir(entry.path().join("fd")) else { continue };
        let has = |file: fs::DirEntry| fs::read_link(file.path()).is_ok_and(|to| to.as_os_str() == &*socket);
        if files.flatten().any(has) {
            return Ok(Some(process));
        }
    }
    Ok(None)
}

/// The inode of the socket from one port to another, from the kernel's table (proc(5)).
fn socket_between(table: &str, from: SocketAddr, to: SocketAddr) -> Option<u64> {
    let port = |field: &str| u16::from_str_radix(field.rsplit_once(':')?.1, 16).ok();
    table.lines().skip(1).find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let between = port(fields.get(1)?) == Some(from.port()) && port(fields.get(2)?) == Some(to.port());
        // A socket whose process is gone has the inode 0.
        fields.get(9)?.parse().ok().filter(|&inode| between && inode != 0)
    })
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn a_connection_of_this_process_is_this_process() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = listener.local_addr().unwrap();
        let stream = TcpStream::connect(server).unwrap();
        let client = stream.local_addr().unwrap();
        assert_eq!(process_of(client, server).unwrap(), Some(std::process::id()));
        drop((stream, listener));
        assert_eq!(process_of(client, server).unwrap(), None);
    }
}
