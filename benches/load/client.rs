//! Connections that stay open, each with one request at a time.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    runtime::{Builder, Runtime},
    time::{interval, timeout},
};

const CONNECTIONS: usize = 32;

/// Time limit of a response: 10 s is far longer than any takes.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(10);

pub struct Target {
    host: String,
    request: Vec<u8>,
    status: [u8; 3],
}

impl Target {
    pub fn new(host: &str, path: &str, status: u16) -> Self {
        let request = format!("GET {path} HTTP/1.1\r\nhost: {host}\r\naccept: */*\r\n\r\n");
        let mut digits = [0; 3];
        digits.copy_from_slice(status.to_string().as_bytes());
        Self {
            host: host.to_owned(),
            request: request.into_bytes(),
            status: digits,
        }
    }
}

pub struct LoadResult {
    pub requests: u64,
    pub took: Duration,
}

impl LoadResult {
    pub fn per_second(&self) -> f64 {
        self.requests as f64 / self.took.as_secs_f64()
    }
}

pub fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// Sends requests over and over for `duration`, at most `rate` a second in all.
pub async fn load(target: &Target, duration: Duration, rate: Option<u32>) -> LoadResult {
    let connecting = (0..CONNECTIONS).map(|_| TcpStream::connect(&target.host));
    let connections = join_all(connecting).await;
    let start = Instant::now();
    let sending = connections.into_iter().map(|connection| async move {
        let mut connection = connection.expect("a server");
        connection.set_nodelay(true).unwrap();
        let mut pace =
            rate.map(|rate| interval(CONNECTIONS as u32 * Duration::from_secs(1) / rate));
        let mut requests = 0;
        let mut buffer = Vec::with_capacity(4096);
        while start.elapsed() < duration {
            if let Some(pace) = &mut pace {
                pace.tick().await;
            }
            request(&mut connection, target, &mut buffer).await;
            requests += 1;
        }
        requests
    });
    let requests = timeout(duration + RESPONSE_TIMEOUT, join_all(sending)).await;
    LoadResult {
        requests: requests.expect("a response in time").iter().sum(),
        took: start.elapsed(),
    }
}

async fn request(connection: &mut TcpStream, target: &Target, buffer: &mut Vec<u8>) {
    connection.write_all(&target.request).await.unwrap();
    buffer.clear();
    loop {
        assert_ne!(connection.read_buf(buffer).await.unwrap(), 0, "closed");
        if is_complete(buffer) {
            break;
        }
    }
    assert_eq!(buffer["HTTP/1.1 ".len()..][..3], target.status);
}

/// Whether `response` has a whole head, and a body as long as `content-length` says.
fn is_complete(response: &[u8]) -> bool {
    const END: &[u8] = b"\r\n\r\n";
    let Some(head) = response.windows(END.len()).position(|bytes| bytes == END) else {
        return false;
    };
    let length = response[..head]
        .split(|byte| *byte == b'\n')
        .find_map(|line| {
            let (name, value) = line.split_at_checked("content-length:".len())?;
            let value = std::str::from_utf8(value).ok()?;
            let is_length = name.eq_ignore_ascii_case(b"content-length:");
            is_length.then(|| value.trim().parse::<usize>().expect("a length"))
        });
    response.len() >= head + END.len() + length.expect("a length")
}
