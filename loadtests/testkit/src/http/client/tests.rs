//! The client by itself, and its retries against a server that plays a script.

use std::sync::Arc;

use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::*;

/// What the server does with its next request.
#[derive(Clone, Copy)]
enum Act {
    /// A status line's end, and a body.
    Answer(&'static str, &'static str),
    HangUp,
}

const OK: Act = Act::Answer("200 OK", "{}");
const BUSY: Act = Act::Answer("503 Service Unavailable", r#"{"retry_after_ms": 1}"#);

/// One request as the server saw it: the connection's number, and its idempotency key.
type Seen = Arc<Mutex<Vec<(usize, String)>>>;

async fn serve(script: Vec<Act>) -> (String, Seen) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let seen = Seen::default();
    let log = Arc::clone(&seen);
    tokio::spawn(async move {
        let mut script = script.into_iter();
        for connection in 0.. {
            let mut stream = BufReader::new(listener.accept().await.unwrap().0);
            while let Some(key) = read_request(&mut stream).await {
                log.lock().unwrap().push((connection, key));
                match script.next().unwrap() {
                    Act::Answer(status, body) => {
                        let length = body.len();
                        let answer = format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n\r\n{body}");
                        stream.write_all(answer.as_bytes()).await.unwrap();
                    }
                    Act::HangUp => break,
                }
            }
        }
    });
    (address, seen)
}

/// The request's key; `None` at the end of the connection.
async fn read_request(stream: &mut BufReader<TcpStream>) -> Option<String> {
    let (mut key, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        match line.trim_end().split_once(": ") {
            Some(("idempotency-key", value)) => value.clone_into(&mut key),
            Some(("content-length", value)) => length = value.parse().unwrap(),
            _ if line == "\r\n" => break,
            _ => {}
        }
    }
    stream.read_exact(&mut vec![0; length]).await.ok()?;
    Some(key)
}

#[tokio::test]
async fn given_a_lost_connection_and_a_busy_server_then_the_same_key_is_sent_again() {
    let (address, seen) = serve(vec![Act::HangUp, BUSY, OK]).await;
    let client = Client::new(&[&address], "", Duration::from_secs(10)).unwrap();
    let reply = client.send(&Request::post("/v1/carts", json!({})).key("the-key")).await.unwrap();
    assert_eq!((reply.status, client.retried()), (200, 2));
    let seen = seen.lock().unwrap().clone();
    assert_eq!(seen, [(0, "the-key".into()), (1, "the-key".into()), (1, "the-key".into())]);
}

#[tokio::test]
async fn given_one_request_after_another_then_they_share_a_connection() {
    let (address, seen) = serve(vec![OK, OK]).await;
    let client = Client::new(&[&address], "", Duration::from_secs(10)).unwrap();
    for _ in 0..2 {
        client.send(&Request::get("/v1/products")).await.unwrap();
    }
    assert_eq!(seen.lock().unwrap().iter().map(|(connection, _)| *connection).collect::<Vec<_>>(), [0, 0]);
}

#[tokio::test]
async fn given_a_server_that_stays_busy_then_the_client_gives_up_and_says_so() {
    let (address, _) = serve(vec![BUSY; 10_000]).await;
    let client = Client::new(&[&address], "", Duration::from_millis(50)).unwrap();
    let error = client.send(&Request::get("/v1/products")).await.unwrap_err();
    assert!(format!("{error:#}").contains("GET /v1/products did not succeed"), "{error:#}");
}

#[test]
fn given_a_base_url_then_only_a_plain_http_server_is_taken() {
    assert_eq!(Server::new("http://shop.example").unwrap().authority, "shop.example:80");
    for wrong in ["https://shop.example", "shop.example", "http://shop.example/v1"] {
        assert!(Client::new(&[wrong], "", TIME_OUT).is_err(), "{wrong}");
    }
}

#[tokio::test]
async fn the_next_try_goes_to_the_next_server() {
    let (first, seen_by_first) = serve(vec![BUSY]).await;
    let (second, seen_by_second) = serve(vec![OK]).await;
    let client = Client::new(&[first, second], "", Duration::from_secs(10)).unwrap();
    let reply = client.send(&Request::post("/", json!({})).key("k")).await.unwrap();
    assert_eq!(reply.status, 200);
    let keys = |seen: &Seen| seen.lock().unwrap().iter().map(|(_, key)| key.clone()).collect::<Vec<_>>();
    assert_eq!((keys(&seen_by_first), keys(&seen_by_second)), (vec!["k".to_owned()], vec!["k".to_owned()]));
}
