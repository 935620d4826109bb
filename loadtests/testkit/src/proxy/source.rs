//! Which process has opened a connection: the processes of this machine share one address, so their sockets tell them apart.

use std::{io, net::SocketAddr};

use procfs::{
    ProcResult, net,
    process::{FDTarget, Process, all_processes},
};

/// The process that has the client's end of a connection to `server`; none when it is gone, or another user's.
pub(super) fn process_of(client: SocketAddr, server: SocketAddr) -> io::Result<Option<u32>> {
    let ports = (client.port(), server.port());
    let sockets = net::tcp().map_err(io::Error::other)?;
    let between = |socket: &&net::TcpNetEntry| {
        // A socket whose process is gone has the inode 0.
        (socket.local_address.port(), socket.remote_address.port()) == ports && socket.inode != 0
    };
    let Some(socket) = sockets.iter().find(between) else { return Ok(None) };
    for process in all_processes().map_err(io::Error::other)?.flatten() {
        // Processes end while they are looked at, and some are not ours to look at.
        if has_socket(&process, socket.inode).unwrap_or(false) {
            return Ok(u32::try_from(process.pid()).ok());
        }
    }
    Ok(None)
}

fn has_socket(process: &Process, inode: u64) -> ProcResult<bool> {
    let is_it = |target: FDTarget| matches!(target, FDTarget::Socket(of) if of == inode);
    Ok(process.fd()?.flatten().any(|file| is_it(file.target)))
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
