//! A client that sends exactly what a test says, well formed or not.

use std::net::SocketAddr;

use axum::{body::Body, http, response::Response};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// One kept-alive connection.
pub(crate) struct Client {
    stream: TcpStream,
    unread: Vec<u8>,
}

#[derive(Debug, Clone)]
pub(crate) struct Request {
    method: &'static str,
    path: String,
    headers: Vec<(String, String)>,
    body: Option<Vec<u8>>,
}

#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    pub(crate) fn new(method: &'static str, path: impl Into<String>) -> Self {
        Self { method, path: path.into(), headers: Vec::new(), body: None }
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn bearer(self, token: &str) -> Self {
        self.header("Authorization", &format!("Bearer {token}"))
    }

    pub(crate) fn key(self, key: &str) -> Self {
        self.header("Idempotency-Key", key)
    }

    /// JSON of any kind.
    pub(crate) fn json(self, body: &Value) -> Self {
        self.text("application/json", body.to_string())
    }

    /// The JSON that it sends.
    pub(crate) fn sent(&self) -> Value {
        serde_json::from_slice(self.body.as_deref().unwrap_or_default()).unwrap()
    }

    /// Text that may not be what it says.
    pub(crate) fn text(mut self, kind: &str, body: impl Into<Vec<u8>>) -> Self {
        self.body = Some(body.into());
        self.headers.retain(|(known, _)| known != "Content-Type");
        self.header("Content-Type", kind)
    }

    /// For who asks the service without a connection.
    pub(crate) fn http(&self) -> http::Request<Body> {
        let mut request = http::Request::builder().method(self.method).uri(&self.path);
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        request.body(self.body.clone().map_or_else(Body::empty, Body::from)).unwrap()
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes = format!("{} {} HTTP/1.1\r\nHost: shop\r\n", self.method, self.path).into_bytes();
        for (name, value) in &self.headers {
            bytes.extend(format!("{name}: {value}\r\n").into_bytes());
        }
        if let Some(body) = &self.body {
            bytes.extend(format!("Content-Length: {}\r\n", body.len()).into_bytes());
        }
        bytes.extend(b"\r\n");
        bytes.extend(self.body.iter().flatten());
        bytes
    }
}

impl Answer {
    /// What the service said without a connection.
    pub(crate) async fn read(response: Response) -> Self {
        let (head, body) = response.into_parts();
        let text = |value: &http::HeaderValue| value.to_str().unwrap().to_owned();
        let headers = head.headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect();
        let body = axum::body::to_bytes(body, usize::MAX).await.unwrap().to_vec();
        Self { status: head.status.as_u16(), headers, body }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut found = self.headers.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
        found.next().map(|(_, value)| value.as_str())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&self.body)))
    }

    /// A problem's code.
    pub(crate) fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }

    /// The answer has this status.
    #[track_caller]
    pub(crate) fn is(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", String::from_utf8_lossy(&self.body));
        self
    }

    /// The answer is a problem with this status and code.
    #[track_caller]
    pub(crate) fn problem(self, status: u16, code: &str) -> Value {
        let answer = self.is(status);
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
        let problem = answer.json();
        assert_eq!(problem["code"], code, "{problem}");
        assert_eq!(problem["status"], status);
        problem
    }
}

impl Client {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        Self { stream: TcpStream::connect(address).await.unwrap(), unread: Vec::new() }
    }

    pub(crate) async fn send(&mut self, request: Request) -> Answer {
        self.write(&request.bytes()).await;
        self.read(request.method == "HEAD").await.expect("an answer")
    }

    pub(crate) async fn write(&mut self, bytes: &[u8]) {
        // A server that has refused already may have closed its side.
        let _written = self.stream.write_all(bytes).await;
    }

    /// Nothing when the connection was closed without an answer.
    pub(crate) async fn read(&mut self, head_only: bool) -> Option<Answer> {
        let end = self.until(b"\r\n\r\n").await?;
        let head = String::from_utf8(self.unread.drain(..end).collect()).unwrap();
        let mut lines = head.split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers: Vec<(String, String)> = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let mut answer = Answer { status, headers, body: Vec::new() };
        if answer.header("transfer-encoding") == Some("chunked") {
            answer.body = self.chunks().await?;
            return Some(answer);
        }
        let length: usize = answer.header("content-length").map_or(0, |length| length.parse().unwrap());
        while !head_only && self.unread.len() < length {
            self.more().await?;
        }
        answer.body = self.unread.drain(..if head_only { 0 } else { length }).collect();
        Some(answer)
    }

    /// A body whose length nobody knew before.
    async fn chunks(&mut self) -> Option<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let end = self.until(b"\r\n").await?;
            let size = String::from_utf8(self.unread.drain(..end).collect()).unwrap();
            let size = usize::from_str_radix(size.trim(), 16).unwrap();
            while self.unread.len() < size + 2 {
                self.more().await?;
            }
            body.extend(self.unread.drain(..size));
            self.unread.drain(..2);
            if size == 0 {
                return Some(body);
            }
        }
    }

    /// Where the mark ends.
    async fn until(&mut self, mark: &[u8]) -> Option<usize> {
        loop {
            if let Some(at) = self.unread.windows(mark.len()).position(|window| window == mark) {
                return Some(at + mark.len());
            }
            self.more().await?;
        }
    }

    async fn more(&mut self) -> Option<()> {
        match self.stream.read_buf(&mut self.unread).await {
            Ok(0) | Err(_) => None,
            Ok(_) => Some(()),
        }
    }
}
