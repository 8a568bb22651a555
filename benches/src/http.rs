//! A client that is lean by hand, so that the load generator is never what is measured: one
//! connection, one request at a time, no pipelining, the answer left where it was read.

use std::net::SocketAddr;

use anyhow::{Context as _, bail};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// A keep-alive HTTP/1.1 connection.
pub struct Connection {
    stream: TcpStream,
    head: Vec<u8>,
    request: Vec<u8>,
    answer: Vec<u8>,
}

/// An answer, borrowed from its connection until the next call.
#[derive(Debug, Clone, Copy)]
pub struct Answer<'a> {
    /// The status code.
    pub status: u16,
    /// The body.
    pub body: &'a [u8],
}

impl Answer<'_> {
    /// The body as JSON, if the status is one of success.
    pub fn json(&self) -> anyhow::Result<Value> {
        if !(200..300).contains(&self.status) {
            bail!("answered {}: {}", self.status, String::from_utf8_lossy(self.body));
        }
        if self.body.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(self.body).context("the answer is not JSON")
    }
}

impl Connection {
    /// Connects, with the headers that every request of this connection carries.
    pub async fn open(address: SocketAddr, token: &str) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let head = format!(" HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {token}\r\n").into_bytes();
        Ok(Self { stream, head, request: Vec::with_capacity(1024), answer: Vec::with_capacity(16 << 10) })
    }

    /// A POST with a JSON body and further header lines (each with its line end).
    pub async fn post(&mut self, path: &str, headers: &str, body: &[u8]) -> anyhow::Result<Answer<'_>> {
        self.begin("POST ", path, headers);
        self.request.extend_from_slice(b"content-type: application/json\r\ncontent-length: ");
        push_number(&mut self.request, body.len());
        self.request.extend_from_slice(b"\r\n\r\n");
        self.request.extend_from_slice(body);
        self.exchange().await
    }

    /// A GET.
    pub async fn get(&mut self, path: &str) -> anyhow::Result<Answer<'_>> {
        self.begin("GET ", path, "");
        self.request.extend_from_slice(b"\r\n");
        self.exchange().await
    }

    /// Asks for a stream and hands the socket over behind the head of the answer, with what was
    /// already read of the body. The body is in chunked framing.
    pub async fn stream(mut self, path: &str) -> anyhow::Result<(TcpStream, Vec<u8>)> {
        self.begin("GET ", path, "accept: text/event-stream\r\n");
        self.request.extend_from_slice(b"\r\n");
        self.stream.write_all(&self.request).await?;
        self.answer.clear();
        let end = self.read_head().await?;
        let head = Head::of(&self.answer[..end])?;
        if head.status != 200 {
            bail!("the stream answered {}", head.status);
        }
        let rest = self.answer.split_off(end);
        Ok((self.stream, rest))
    }

    fn begin(&mut self, method: &str, path: &str, headers: &str) {
        self.request.clear();
        self.request.extend_from_slice(method.as_bytes());
        self.request.extend_from_slice(path.as_bytes());
        self.request.extend_from_slice(&self.head);
        self.request.extend_from_slice(headers.as_bytes());
    }

    async fn exchange(&mut self) -> anyhow::Result<Answer<'_>> {
        self.stream.write_all(&self.request).await?;
        self.answer.clear();
        let end = self.read_head().await?;
        let head = Head::of(&self.answer[..end])?;
        let body = match head.length {
            Some(length) => {
                while self.answer.len() < end + length {
                    self.read_more().await?;
                }
                end..end + length
            }
            None if head.chunked => {
                let body = self.read_chunks(end).await?;
                self.answer.truncate(end);
                self.answer.extend_from_slice(&body);
                end..self.answer.len()
            }
            None => end..end,
        };
        Ok(Answer { status: head.status, body: &self.answer[body] })
    }

    async fn read_more(&mut self) -> anyhow::Result<()> {
        if self.stream.read_buf(&mut self.answer).await? == 0 {
            bail!("the connection was closed in the middle of an answer");
        }
        Ok(())
    }

    async fn read_head(&mut self) -> anyhow::Result<usize> {
        let mut looked = 0;
        loop {
            if let Some(at) = find(&self.answer[looked..], b"\r\n\r\n") {
                return Ok(looked + at + 4);
            }
            looked = self.answer.len().saturating_sub(3);
            self.read_more().await?;
        }
    }

    async fn read_chunks(&mut self, mut at: usize) -> anyhow::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let Some(line) = find(&self.answer[at..], b"\r\n") else {
                self.read_more().await?;
                continue;
            };
            let size = usize::from_str_radix(std::str::from_utf8(&self.answer[at..at + line])?.trim(), 16)?;
            let from = at + line + 2;
            while self.answer.len() < from + size + 2 {
                self.read_more().await?;
            }
            if size == 0 {
                return Ok(body);
            }
            body.extend_from_slice(&self.answer[from..from + size]);
            at = from + size + 2;
        }
    }
}

struct Head {
    status: u16,
    length: Option<usize>,
    chunked: bool,
}

impl Head {
    fn of(bytes: &[u8]) -> anyhow::Result<Self> {
        let text = std::str::from_utf8(bytes).context("the head of an answer is not text")?;
        let mut lines = text.split("\r\n");
        let status =
            lines.next().and_then(|line| line.get(9..12)?.parse().ok()).context("an answer without a status")?;
        let mut head = Self { status, length: None, chunked: false };
        for line in lines {
            let Some((name, value)) = line.split_once(':') else { continue };
            if name.eq_ignore_ascii_case("content-length") {
                head.length = value.trim().parse().ok();
            } else if name.eq_ignore_ascii_case("transfer-encoding") {
                head.chunked = value.trim().eq_ignore_ascii_case("chunked");
            }
        }
        Ok(head)
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

fn push_number(out: &mut Vec<u8>, number: usize) {
    use std::io::Write as _;
    // Writing to a vector cannot fail.
    let _ = write!(out, "{number}");
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    async fn answers(pieces: &'static [&'static str]) -> (u16, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(async move {
            let (mut peer, _) = listener.accept().await.unwrap();
            let mut request = [0; 1024];
            let _ = peer.read(&mut request).await.unwrap();
            for piece in pieces {
                peer.write_all(piece.as_bytes()).await.unwrap();
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
        });
        let mut connection = Connection::open(address, "t").await.unwrap();
        let answer = connection.post("/x", "", b"{}").await.unwrap();
        let got = (answer.status, String::from_utf8(answer.body.to_vec()).unwrap());
        server.await.unwrap();
        got
    }

    #[tokio::test]
    async fn answers_are_read_whole_however_they_are_cut() {
        assert_eq!(
            answers(&["HTTP/1.1 200 OK\r\nContent-Length: 4\r", "\n\r\nbo", "dy"]).await,
            (200, "body".to_owned())
        );
        assert_eq!(answers(&["HTTP/1.1 204 No Content\r\n\r\n"]).await, (204, String::new()));
        assert_eq!(
            answers(&["HTTP/1.1 409 C\r\ntransfer-encoding: chunked\r\n\r\n3\r", "\nbod\r\n1\r\ny\r\n0\r", "\n\r\n"])
                .await,
            (409, "body".to_owned())
        );
    }
}
