//! One keep-alive HTTP/1.1 connection, as lean as a client can be: it writes requests that were rendered beforehand and
//! reads no more of a response than its status and its length. Built for load that shares the machine with the server, so
//! it knows only what the server sends: no chunked bodies, no redirects, no pipelining.

use std::{io, ops::Range};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, ToSocketAddrs},
};

use super::response::Response;

/// A header block longer than this is not our server's.
const MAX_HEAD: usize = 16 * 1024;

#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// What the framing of a response needs from its head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    pub status: u16,
    /// Bytes up to and with the blank line.
    pub length: usize,
    pub content_length: usize,
}

impl Head {
    fn body(self) -> Range<usize> {
        self.length..self.length + self.content_length
    }
}

impl Connection {
    pub async fn open(address: impl ToSocketAddrs) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(8 * 1024) })
    }

    /// Whether the server has ended it, as it does with one that was idle for long.
    pub fn is_closed(&self) -> bool {
        let read = self.stream.try_read(&mut [0]);
        !matches!(read, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }

    /// Sends a rendered request and reads its response to the end; the body is thrown away.
    pub async fn exchange(&mut self, request: &[u8]) -> io::Result<Head> {
        self.stream.write_all(request).await?;
        self.receive().await
    }

    /// The body of the response that was exchanged last.
    pub fn body(&self, head: Head) -> &[u8] {
        &self.buffer[head.body()]
    }

    /// As `exchange`, and keeps the response.
    pub async fn call(&mut self, request: &[u8]) -> io::Result<Response> {
        let head = self.exchange(request).await?;
        let text = String::from_utf8_lossy(&self.buffer[..head.length]).into_owned();
        Ok(Response::new(head.status, text, self.body(head).to_vec()))
    }

    /// Writes without waiting for the answer: what a client does that dies.
    pub async fn send(&mut self, request: &[u8]) -> io::Result<()> {
        self.stream.write_all(request).await
    }

    async fn receive(&mut self) -> io::Result<Head> {
        self.buffer.clear();
        let head = loop {
            self.fill().await?;
            match parse_head(&self.buffer)? {
                Some(head) => break head,
                None if self.buffer.len() > MAX_HEAD => return Err(malformed("a head without end")),
                None => {}
            }
        };
        while self.buffer.len() < head.length + head.content_length {
            self.fill().await?;
        }
        if self.buffer.len() > head.length + head.content_length {
            return Err(malformed("more bytes than the response announced"));
        }
        Ok(head)
    }

    async fn fill(&mut self) -> io::Result<()> {
        if self.stream.read_buf(&mut self.buffer).await? == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the server closed the connection"));
        }
        Ok(())
    }
}

/// Reads the head at the start of `bytes`; `None` while it is not complete.
fn parse_head(bytes: &[u8]) -> io::Result<Option<Head>> {
    let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else { return Ok(None) };
    let mut lines = bytes[..end].split(|&byte| byte == b'\n');
    let status = lines
        .next()
        .and_then(|line| line.strip_prefix(b"HTTP/1.1 "))
        .and_then(|rest| number(rest.get(..3)?))
        .and_then(|status| u16::try_from(status).ok())
        .ok_or_else(|| malformed("no HTTP/1.1 status line"))?;
    let mut content_length = 0;
    for line in lines {
        let Some(colon) = line.iter().position(|&byte| byte == b':') else { continue };
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        if name.eq_ignore_ascii_case(b"content-length") {
            content_length = number(value).ok_or_else(|| malformed("a content-length that is no number"))?;
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            return Err(malformed("a chunked response"));
        }
    }
    Ok(Some(Head { status, length: end + 4, content_length }))
}

fn number(digits: &[u8]) -> Option<usize> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

fn malformed(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_once_it_is_complete() {
        let response = b"HTTP/1.1 201 Created\r\nContent-Length: 12\r\netag: \"3\"\r\n\r\nhello, world";
        for cut in 0..response.len() - 12 {
            assert_eq!(parse_head(&response[..cut]).unwrap(), None, "{cut}");
        }
        let head = parse_head(response).unwrap().unwrap();
        assert_eq!((head.status, head.content_length), (201, 12));
        assert_eq!(&response[head.body()], b"hello, world");
    }

    #[test]
    fn a_response_without_a_body_has_length_zero() {
        let head = parse_head(b"HTTP/1.1 204 No Content\r\n\r\n").unwrap().unwrap();
        assert_eq!((head.status, head.content_length), (204, 0));
    }

    #[test]
    fn what_cannot_be_framed_is_refused() {
        for text in [
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: many\r\n\r\n",
            "HTTP/1.0 200 OK\r\n\r\n",
            "SSH-2.0-x\r\n\r\n",
        ] {
            assert!(parse_head(text.as_bytes()).is_err(), "{text}");
        }
    }
}
