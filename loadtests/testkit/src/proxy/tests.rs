use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::atomic::Ordering::SeqCst,
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    time::timeout,
};

use super::*;

const SOON: Duration = Duration::from_secs(60);
const A_WHILE: Duration = Duration::from_millis(150);

/// Answers each line with `echo LINE`, and tells what it has heard; `end` when a client closes.
async fn echo() -> (SocketAddr, mpsc::Receiver<String>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let (heard, hearing) = mpsc::channel(100);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(echo_to(stream, heard.clone()));
        }
    });
    (address, hearing)
}

async fn echo_to(mut stream: TcpStream, heard: mpsc::Sender<String>) {
    let mut buffer = [0; 100];
    while let Ok(count @ 1..) = stream.read(&mut buffer).await {
        let text = String::from_utf8_lossy(&buffer[..count]).into_owned();
        if heard.send(text.clone()).await.is_err() {
            return;
        }
        if stream.write_all(format!("echo {text}").as_bytes()).await.is_err() {
            break;
        }
    }
    // The test may be over.
    let _over = heard.send("end".to_owned()).await;
}

struct Line {
    proxy: Proxy,
    stream: TcpStream,
    heard: mpsc::Receiver<String>,
}

/// A connection through a proxy over which something has gone.
async fn open() -> Line {
    let (server, heard) = echo().await;
    let proxy = Proxy::start(server).await.unwrap();
    let stream = TcpStream::connect(proxy.address()).await.unwrap();
    let mut line = Line { proxy, stream, heard };
    line.say("hello").await;
    assert_eq!(line.server_hears().await.as_deref(), Some("hello"));
    assert_eq!(line.hears().await, Ok("echo hello".to_owned()));
    line
}

/// What a client gets who gets no answer.
#[derive(Debug, PartialEq)]
enum No {
    Answer,
    Connection,
}

async fn hears(stream: &mut TcpStream) -> Result<String, No> {
    let mut buffer = [0; 100];
    match timeout(SOON, stream.read(&mut buffer)).await {
        Err(_) => Err(No::Answer),
        Ok(Ok(0) | Err(_)) => Err(No::Connection),
        Ok(Ok(count)) => Ok(String::from_utf8_lossy(&buffer[..count]).into_owned()),
    }
}

/// Not a byte comes, and the connection stays.
async fn hears_nothing(stream: &mut TcpStream) -> bool {
    timeout(A_WHILE, stream.read_u8()).await.is_err()
}

impl Line {
    async fn say(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).await.unwrap();
    }

    async fn hears(&mut self) -> Result<String, No> {
        hears(&mut self.stream).await
    }

    async fn server_hears(&mut self) -> Option<String> {
        timeout(SOON, self.heard.recv()).await.ok().flatten()
    }

    async fn server_hears_nothing(&mut self) -> bool {
        timeout(A_WHILE, self.heard.recv()).await.is_err()
    }

    async fn another(&self) -> TcpStream {
        TcpStream::connect(self.proxy.address()).await.unwrap()
    }
}

#[tokio::test]
async fn a_cut_resets_what_is_open_and_what_opens() {
    let mut line = open().await;
    line.proxy.set(Network::CUT);
    assert_eq!(line.hears().await, Err(No::Connection));
    let mut another = line.another().await;
    assert_eq!(hears(&mut another).await, Err(No::Connection));
    assert_eq!(line.server_hears().await.as_deref(), Some("end"));
    assert!(line.server_hears_nothing().await, "nothing new came");

    line.proxy.heal();
    let mut another = line.another().await;
    another.write_all(b"back").await.unwrap();
    assert_eq!(hears(&mut another).await, Ok("echo back".to_owned()));
}

#[tokio::test]
async fn what_is_held_arrives_when_the_network_heals() {
    let mut line = open().await;
    line.proxy.set(Network::flows(Flow::Hold, Flow::Hold));
    line.say("late").await;
    assert!(line.server_hears_nothing().await);
    line.proxy.heal();
    assert_eq!(line.server_hears().await.as_deref(), Some("late"));
    assert_eq!(line.hears().await, Ok("echo late".to_owned()));
    assert_eq!(line.proxy.counts().held.load(SeqCst), 4);
}

#[tokio::test]
async fn a_close_is_held_behind_what_was_said_before_it() {
    let mut line = open().await;
    line.proxy.set(Network::flows(Flow::Hold, Flow::Hold));
    line.say("last words").await;
    let Line { proxy, stream, mut heard } = line;
    drop(stream);
    assert!(timeout(A_WHILE, heard.recv()).await.is_err());
    proxy.heal();
    assert_eq!(timeout(SOON, heard.recv()).await.unwrap().as_deref(), Some("last words"));
    assert_eq!(timeout(SOON, heard.recv()).await.unwrap().as_deref(), Some("end"));
}

#[tokio::test]
async fn one_way_questions_arrive_and_answers_do_not() {
    for flow in [Flow::Hold, Flow::Drop] {
        let mut line = open().await;
        line.proxy.set(Network::flows(Flow::Pass, flow));
        line.say("there").await;
        assert_eq!(line.server_hears().await.as_deref(), Some("there"));
        assert!(hears_nothing(&mut line.stream).await, "{flow:?}");
        line.proxy.heal();
        let held = if flow == Flow::Hold { Ok("echo there".to_owned()) } else { Err(No::Connection) };
        assert_eq!(line.hears().await, held);
    }
}

#[tokio::test]
async fn the_other_way_questions_do_not_arrive() {
    for flow in [Flow::Hold, Flow::Drop] {
        let mut line = open().await;
        line.proxy.set(Network::flows(flow, Flow::Pass));
        line.say("there").await;
        assert!(line.server_hears_nothing().await, "{flow:?}");
        line.proxy.heal();
        let heard = line.server_hears().await;
        assert_eq!(heard.as_deref(), Some(if flow == Flow::Hold { "there" } else { "end" }));
    }
}

#[tokio::test]
async fn what_was_dropped_never_arrives_and_its_connection_neither() {
    let mut line = open().await;
    line.proxy.set(Network::flows(Flow::Drop, Flow::Drop));
    line.say("lost").await;
    assert!(hears_nothing(&mut line.stream).await, "without a word");
    let mut opened = line.another().await;
    opened.write_all(b"lost too").await.unwrap();
    assert!(hears_nothing(&mut opened).await);

    line.proxy.heal();
    assert_eq!(line.hears().await, Err(No::Connection));
    assert_eq!(hears(&mut opened).await, Err(No::Connection));
    assert_eq!(line.server_hears().await.as_deref(), Some("end"));
    assert!(line.server_hears_nothing().await);
    assert_eq!(line.proxy.counts().dropped.load(SeqCst), 4);
}

#[tokio::test]
async fn a_connection_opened_in_a_partition_is_established_when_it_heals() {
    let mut line = open().await;
    line.proxy.set(Network::flows(Flow::Pass, Flow::Hold));
    let mut opened = line.another().await;
    opened.write_all(b"patience").await.unwrap();
    assert!(line.server_hears_nothing().await, "there is no handshake one way");
    line.proxy.heal();
    assert_eq!(hears(&mut opened).await, Ok("echo patience".to_owned()));
}

#[tokio::test]
async fn a_slow_network_delays_each_round_trip_and_not_each_byte() {
    let mut line = open().await;
    line.proxy.set(Network::slower_by(Duration::from_millis(80)));
    let began = Instant::now();
    for _ in 0..20 {
        line.say("x").await;
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let mut heard = 0;
    while heard < 20 {
        heard += line.hears().await.unwrap().matches('x').count();
        assert!(began.elapsed() >= Duration::from_millis(80));
    }
    assert!(began.elapsed() < Duration::from_millis(20 * 80), "{:?}", began.elapsed());
}

#[tokio::test]
async fn each_process_has_a_network_of_its_own() {
    let (server, _heard) = echo().await;
    let proxy = Proxy::by_process(server).await.unwrap();
    let mut mine = TcpStream::connect(proxy.address()).await.unwrap();
    let talks = async |stream: &mut TcpStream| {
        stream.write_all(b"hello").await.unwrap();
        hears(stream).await
    };
    assert_eq!(talks(&mut mine).await, Ok("echo hello".to_owned()));
    proxy.set_for(1, Network::CUT);
    assert_eq!(talks(&mut mine).await, Ok("echo hello".to_owned()), "that was another process");
    proxy.set_for(std::process::id(), Network::CUT);
    assert_eq!(hears(&mut mine).await, Err(No::Connection));
    proxy.heal();
    let mut mine = TcpStream::connect(proxy.address()).await.unwrap();
    assert_eq!(talks(&mut mine).await, Ok("echo hello".to_owned()));
}

#[tokio::test]
async fn new_connections_go_to_the_server_that_it_is_pointed_at() {
    let mut line = open().await;
    let (server, mut heard) = echo().await;
    line.proxy.point_at(server);
    line.say("still here").await;
    assert_eq!(line.server_hears().await.as_deref(), Some("still here"));
    line.another().await.write_all(b"over there").await.unwrap();
    assert_eq!(timeout(SOON, heard.recv()).await.unwrap().as_deref(), Some("over there"));
    line.proxy.heal();
    line.another().await.write_all(b"there still").await.unwrap();
    let heard = async { while heard.recv().await.as_deref() != Some("there still") {} };
    timeout(SOON, heard).await.unwrap();
}
