//! One way of one connection: reader, delay line, writer.

use std::{
    io::{self, ErrorKind},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::tcp::{ReadHalf, WriteHalf},
    sync::mpsc,
    time::{Instant, sleep_until},
};

use super::network::{Counts, Flow, Network, View, Way, add};

/// What is under way at most: then the sender waits, as it would for TCP's window.
const UNDER_WAY: usize = 256;
const CHUNK: usize = 16 * 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    ToServer,
    ToClient,
}

impl Side {
    fn way(self, network: &Network) -> Way {
        match self {
            Self::ToServer => network.to_server,
            Self::ToClient => network.to_client,
        }
    }
}

/// Reads what passes, and decides what goes on.
pub(super) trait Inspect: Send {
    /// Takes from `arrived` what can be judged; answers what goes on, and how much later than the network has it. An
    /// error resets the connection.
    fn inspect(&mut self, arrived: &mut BytesMut) -> io::Result<(Bytes, Duration)>;
}

/// Passes everything.
pub(super) struct Unseen;

impl Inspect for Unseen {
    fn inspect(&mut self, arrived: &mut BytesMut) -> io::Result<(Bytes, Duration)> {
        Ok((arrived.split().freeze(), Duration::ZERO))
    }
}

/// Copies until the sender has closed its side and the receiver knows; an error when the connection is to be reset.
pub(super) async fn run(
    from: ReadHalf<'_>,
    to: WriteHalf<'_>,
    side: Side,
    network: View,
    counts: &Counts,
    inspect: &mut dyn Inspect,
) -> io::Result<()> {
    let (sender, receiver) = mpsc::channel(UNDER_WAY);
    let reading = read(from, side, network.clone(), counts, inspect, sender);
    let writing = write(to, side, network, counts, receiver);
    tokio::try_join!(reading, writing).map(|_| ())
}

/// With no bytes: the sender has closed its side.
type Parcel = (Instant, Bytes);

async fn read(
    mut from: ReadHalf<'_>,
    side: Side,
    mut network: View,
    counts: &Counts,
    inspect: &mut dyn Inspect,
    line: mpsc::Sender<Parcel>,
) -> io::Result<()> {
    let mut arrived = BytesMut::new();
    let mut due = Instant::now();
    loop {
        let closed = receive(&mut from, &mut arrived).await == 0;
        let way = side.way(&network.now());
        if way.flow == Flow::Drop {
            add(&counts.dropped, arrived.len());
            return lost(&mut network, discard(from, counts)).await;
        }
        let (onward, later) =
            if closed { (Bytes::new(), Duration::ZERO) } else { inspect.inspect(&mut arrived)? };
        if onward.is_empty() && !closed {
            continue;
        }
        // Nothing overtakes what went before.
        due = due.max(Instant::now() + way.delay + later);
        if line.send((due, onward)).await.is_err() || closed {
            return Ok(());
        }
    }
}

/// Reads some bytes; none when the sender has closed its side. One that broke off has no more to say than one that closed.
async fn receive(from: &mut ReadHalf<'_>, arrived: &mut BytesMut) -> usize {
    arrived.reserve(CHUNK);
    from.read_buf(arrived).await.unwrap_or(0)
}

async fn discard(mut from: ReadHalf<'_>, counts: &Counts) {
    let mut rest = BytesMut::new();
    while receive(&mut from, &mut rest).await > 0 {
        add(&counts.dropped, rest.len());
        rest.clear();
    }
}

/// Something of the connection is lost: the rest is too, until the network heals, and then it is reset.
async fn lost(network: &mut View, discarding: impl Future<Output = ()>) -> io::Result<()> {
    let discarding = async {
        discarding.await;
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = discarding => {}
        healed = network.until(|network| !network.drops()) => {
            healed?;
        }
    }
    Err(ErrorKind::ConnectionReset.into())
}

async fn write(
    mut to: WriteHalf<'_>,
    side: Side,
    mut network: View,
    counts: &Counts,
    mut line: mpsc::Receiver<Parcel>,
) -> io::Result<()> {
    while let Some((due, bytes)) = line.recv().await {
        sleep_until(due).await;
        if side.way(&network.now()).flow == Flow::Hold {
            network.until(|network| side.way(network).flow != Flow::Hold).await?;
            add(&counts.held, bytes.len());
        }
        if side.way(&network.now()).flow == Flow::Drop {
            add(&counts.dropped, bytes.len());
            let discarding = async {
                while let Some((_, bytes)) = line.recv().await {
                    add(&counts.dropped, bytes.len());
                }
            };
            return lost(&mut network, discarding).await;
        }
        // Empty: the sender has closed its side. The other way goes on until it is closed too.
        let sent = if bytes.is_empty() { to.shutdown().await } else { to.write_all(&bytes).await };
        if sent.is_err() {
            // The receiver has gone, and its own closing ends the other way.
            return Ok(());
        }
        add(&counts.bytes, bytes.len());
    }
    Ok(())
}
