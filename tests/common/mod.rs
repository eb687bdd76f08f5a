//! A server and a client on real sockets, and one line of text for what came over them.
#![allow(dead_code, reason = "every test file takes what it needs")]

use std::{
    cell::Cell,
    error::Error,
    fmt,
    future::poll_fn,
    mem,
    net::{Ipv4Addr, SocketAddr},
    panic::{self, AssertUnwindSafe},
    pin::pin,
    sync::{
        Arc, Once,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    task::Poll,
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, response::Parts};
use http_body::Body;
use http_body_util::{BodyExt, Full, combinators::UnsyncBoxBody};
use hyper::{
    body::Incoming,
    client::conn::{http1, http2},
    ext::ReasonPhrase,
    rt::Executor,
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tower::{BoxError, Service};

/// What no client may ever see. Every answer is searched for it.
pub const SECRET: &str = "hunter2";

/// A text that holds [`SECRET`].
pub const SECRET_TEXT: &str = "the password is hunter2";

/// An error that is not meant for the client.
#[derive(Debug)]
pub struct SecretError;

impl fmt::Display for SecretError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(SECRET_TEXT)
    }
}

impl Error for SecretError {}

/// What is answered where nothing is known that the client may see.
pub const PLAIN_500: &str = "500 | content-length: 34 | content-type: application/json | \
                             {\"detail\":\"Internal Server Error\"}";

/// The answer to an `Elapsed`, with the feature `tower`.
pub const PLAIN_504: &str = "504 | content-length: 28 | content-type: application/json | \
                             {\"detail\":\"Gateway Timeout\"}";

/// Gives up on `future` after a while: a test that hangs is a test that fails.
pub async fn within<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(30), future)
        .await
        .expect("nothing came of it in 30 seconds")
}

/// The cases of a table that came out otherwise than expected: the test tells of all of them at its end.
#[derive(Default)]
#[must_use]
pub struct Differences(Vec<String>);

impl Differences {
    pub fn note(&mut self, case: &str, got: &str, expected: &str) {
        if got != expected {
            let difference = format!("{case}:\n       got {got}\n  expected {expected}");
            self.0.push(difference);
        }
    }

    pub fn assert_none(self) {
        let Self(differences) = self;
        assert!(differences.is_empty(), "\n{}\n", differences.join("\n"));
    }
}

thread_local! {
    static PANIC_HOOK_RUNS: Cell<usize> = const { Cell::new(0) };
}

/// How often the panic hook has run on this thread since the first call.
///
/// From then on it prints nothing of the panics that are on purpose: those with [`SECRET_TEXT`], and those
/// without a text.
pub fn panic_hook_runs() -> usize {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let print = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            PANIC_HOOK_RUNS.set(PANIC_HOOK_RUNS.get() + 1);
            let payload = info.payload();
            let literal = payload.downcast_ref::<&str>().copied();
            let text = literal.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
            if text.is_some_and(|text| text != SECRET_TEXT) {
                print(info);
            }
        }));
    });
    PANIC_HOOK_RUNS.get()
}

/// Has every event of this thread written out, to nowhere, until what it gives is dropped: what is logged
/// runs other people's code.
pub fn log_to_nowhere() -> impl Sized {
    use tracing_subscriber::util::SubscriberInitExt as _;
    tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_writer(std::io::sink)
        .set_default()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    Http1,
    Http2,
}

pub const PROTOCOLS: [Protocol; 2] = [Protocol::Http1, Protocol::Http2];

/// A service on a socket of its own. New connections are accepted until it is dropped.
pub struct Server {
    address: SocketAddr,
    task: JoinHandle<()>,
    spawner: Spawner,
}

impl Server {
    /// Serves with hyper.
    pub async fn start<S, B>(service: S) -> Self
    where
        S: Service<Request<Incoming>, Response = Response<B>, Error: Into<BoxError>>,
        S: Clone + Send + 'static,
        S::Future: Send,
        B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
    {
        panic_hook_runs();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let spawner = Spawner::default();
        let connections = spawner.clone();
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                stream.set_nodelay(true).unwrap();
                let stream = TokioIo::new(stream);
                let streams = connections.clone();
                let service = TowerToHyperService::new(service.clone());
                connections.execute(async move {
                    // A connection whose body failed ends with an error.
                    let _ = auto::Builder::new(streams)
                        .serve_connection(stream, service)
                        .await;
                });
            }
        });
        Self {
            address,
            task,
            spawner,
        }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many panics came out of the service, and so ended a connection or a stream of one.
    pub fn panics(&self) -> usize {
        self.spawner.panics.load(SeqCst)
    }

    /// Serves with axum.
    #[cfg(feature = "axum")]
    pub async fn start_axum(router: axum::Router) -> Self {
        panic_hook_runs();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        let spawner = Spawner::default();
        Self {
            address,
            task,
            spawner,
        }
    }

    /// One connection to it.
    pub async fn connect(&self, protocol: Protocol) -> Client {
        within(async {
            let stream = TcpStream::connect(self.address).await.unwrap();
            stream.set_nodelay(true).unwrap();
            let stream = TokioIo::new(stream);
            match protocol {
                Protocol::Http1 => {
                    let (sender, connection) = http1::handshake(stream).await.unwrap();
                    tokio::spawn(connection);
                    Client::Http1(sender)
                }
                Protocol::Http2 => {
                    let executor = TokioExecutor::new();
                    let (sender, connection) = http2::handshake(executor, stream).await.unwrap();
                    tokio::spawn(connection);
                    Client::Http2(sender)
                }
            }
        })
        .await
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Spawns the connections of a server and their streams, and counts those that panic.
#[derive(Clone, Default)]
struct Spawner {
    panics: Arc<AtomicUsize>,
}

impl<F: Future + Send + 'static> Executor<F> for Spawner {
    fn execute(&self, future: F) {
        let panics = Arc::clone(&self.panics);
        let mut future = Box::pin(future);
        tokio::spawn(poll_fn(move |cx| {
            match panic::catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx).map(drop))) {
                Ok(poll) => poll,
                Err(payload) => {
                    panics.fetch_add(1, SeqCst);
                    mem::forget(payload);
                    Poll::Ready(())
                }
            }
        }));
    }
}

/// One connection. It is never opened anew: a request on one that is closed fails.
pub enum Client {
    Http1(http1::SendRequest<Full<Bytes>>),
    Http2(http2::SendRequest<Full<Bytes>>),
}

impl Client {
    /// Sends a request, and waits for the head of the response.
    pub async fn send(&mut self, request: Request<()>) -> hyper::Result<Response<Incoming>> {
        let mut request = request.map(|()| Full::default());
        within(async {
            match self {
                Self::Http1(sender) => {
                    let host = "test".parse().unwrap();
                    request.headers_mut().insert(http::header::HOST, host);
                    sender.ready().await?;
                    sender.send_request(request).await
                }
                Self::Http2(sender) => {
                    let uri = format!("http://test{}", request.uri());
                    *request.uri_mut() = uri.parse().unwrap();
                    sender.ready().await?;
                    sender.send_request(request).await
                }
            }
        })
        .await
    }

    /// Sends a request, and waits for the end of the response.
    pub async fn exchange(&mut self, request: Request<()>) -> hyper::Result<Answer> {
        let response = self.send(request).await?;
        let (head, body) = response.into_parts();
        let body = within(body.collect()).await?;
        let trailers = body.trailers().cloned();
        let body = body.to_bytes();
        let answer = Answer {
            head,
            body,
            trailers,
        };
        assert!(
            !answer.holds(SECRET),
            "a client saw what it must not: {answer}"
        );
        Ok(answer)
    }

    /// What `method` gives at `path`: an [`Answer`] as it is shown, or why there is none.
    pub async fn ask(&mut self, method: Method, path: &str) -> String {
        match self.exchange(request(method, path)).await {
            Ok(answer) => answer.to_string(),
            Err(error) => format!("{error:?}"),
        }
    }

    /// What a `GET` gives at `path`.
    pub async fn get(&mut self, path: &str) -> String {
        self.ask(Method::GET, path).await
    }
}

/// A request without a body.
pub fn request(method: Method, path: &str) -> Request<()> {
    Request::builder()
        .method(method)
        .uri(path)
        .body(())
        .unwrap()
}

/// A response that came whole.
///
/// Shown in one line: the status, every header but `date` in the order of their names, the body. So a
/// test that compares it overlooks nothing.
#[derive(Debug)]
pub struct Answer {
    pub head: Parts,
    pub body: Bytes,
    pub trailers: Option<HeaderMap>,
}

impl Answer {
    /// Of a response that came over no socket.
    pub async fn of<B: Body<Data = Bytes, Error: fmt::Debug>>(response: Response<B>) -> Self {
        let (head, body) = response.into_parts();
        let body = within(pin!(body).collect()).await.unwrap();
        let trailers = body.trailers().cloned();
        let body = body.to_bytes();
        Self {
            head,
            body,
            trailers,
        }
    }

    fn holds(&self, text: &str) -> bool {
        let reason = self.head.extensions.get::<ReasonPhrase>();
        let reason = reason.map_or(&b""[..], ReasonPhrase::as_bytes);
        let lines = self.head.headers.iter();
        let lines = lines.chain(self.trailers.iter().flatten());
        lines
            .flat_map(|(name, value)| [name.as_str().as_bytes(), value.as_bytes()])
            .chain([reason, &self.body])
            .any(|bytes| String::from_utf8_lossy(bytes).contains(text))
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.head.status.as_str())?;
        let mut lines: Vec<_> = self.head.headers.iter().collect();
        lines.sort_by_key(|(name, _)| name.as_str());
        for (name, value) in lines {
            if name != http::header::DATE {
                write!(f, " | {name}: {}", value.as_bytes().escape_ascii())?;
            }
        }
        if !self.body.is_empty() {
            write!(f, " | {}", String::from_utf8_lossy(&self.body))?;
        }
        Ok(())
    }
}

/// A body of these frames, each made when it is asked for.
pub fn body<S>(frames: S) -> UnsyncBoxBody<Bytes, BoxError>
where
    S: futures_util::Stream<Item = Result<&'static str, BoxError>> + Send + 'static,
{
    use futures_util::StreamExt as _;
    let frames = frames.map(|text| Ok(http_body::Frame::data(Bytes::from(text?))));
    UnsyncBoxBody::new(http_body_util::StreamBody::new(frames))
}
