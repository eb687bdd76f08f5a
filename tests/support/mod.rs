//! A server on a real socket, a client, and errors to be caught.
#![allow(dead_code)]

use std::{
    convert::Infallible,
    error::Error,
    fmt,
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use futures_util::stream;
use http::{HeaderMap, Method, Request, Response, StatusCode, header::HOST};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::{body::Incoming, client::conn::http1};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto::Builder,
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tower::Service;

pub type BoxError = Box<dyn Error + Send + Sync>;

/// What takes longer will not come.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A service that is served until the test ends.
pub struct Server {
    pub address: SocketAddr,
}

impl Server {
    pub async fn start<S, B>(service: S) -> Self
    where
        S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible, Future: Send>,
        S: Clone + Send + 'static,
        B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
    {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let service = TowerToHyperService::new(service.clone());
                tokio::spawn(async move {
                    // A body that is cut short ends the connection with an error.
                    let _ = Builder::new(TokioExecutor::new())
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
            }
        });
        Self { address }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(request(Method::GET, path)).await
    }

    pub async fn head(&self, path: &str) -> Answer {
        self.send(request(Method::HEAD, path)).await
    }

    /// One request, on a connection of its own.
    pub async fn send(&self, mut request: Request<Full<Bytes>>) -> Answer {
        let host = self.address.to_string().parse().unwrap();
        request.headers_mut().insert(HOST, host);
        timeout(PATIENCE, async {
            let stream = TcpStream::connect(self.address).await.unwrap();
            let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
            tokio::spawn(connection);
            Answer::read(sender.send_request(request).await.unwrap()).await
        })
        .await
        .expect("no answer")
    }
}

pub fn request(method: Method, path: &str) -> Request<Full<Bytes>> {
    let request = Request::builder().method(method).uri(path);
    request.body(Full::default()).unwrap()
}

/// What the client was given.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
    pub trailers: Option<HeaderMap>,
    /// Whether the body ended before its time.
    pub cut_short: bool,
}

impl Answer {
    async fn read(response: Response<Incoming>) -> Self {
        let (head, mut body) = response.into_parts();
        let (mut data, mut trailers, mut cut_short) = (BytesMut::new(), None, false);
        while let Some(frame) = body.frame().await {
            match frame.map(|frame| frame.into_data().map_err(|frame| frame.into_trailers())) {
                Ok(Ok(more)) => data.extend_from_slice(&more),
                Ok(Err(more)) => trailers = more.ok(),
                Err(_) => {
                    cut_short = true;
                    break;
                }
            }
        }
        Self {
            status: head.status,
            headers: head.headers,
            body: data.freeze(),
            trailers,
            cut_short,
        }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        Some(self.headers.get(name)?.to_str().unwrap())
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// Asserts that this is an exception as the default renderer has it.
    #[track_caller]
    pub fn assert_detail(&self, status: u16, detail: &str) {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.header("content-type"), Some("application/json"));
        let body = serde_json::json!({ "detail": detail }).to_string();
        assert_eq!(self.text(), body);
        let length = body.len().to_string();
        assert_eq!(self.header("content-length"), Some(&*length));
        assert!(!self.cut_short);
    }

    /// Asserts that this is what is answered to what nobody knows.
    #[track_caller]
    pub fn assert_default_500(&self) {
        self.assert_detail(500, "Internal Server Error");
    }
}

/// A body that is sent as far as `first`, and then is what `end` makes of it.
pub fn first_then(
    end: fn() -> Result<Frame<Bytes>, BoxError>,
) -> impl Body<Data = Bytes, Error = BoxError> + Send {
    let frames = stream::unfold(0, move |frame| async move {
        if frame == 0 {
            return Some((Ok(Frame::data(Bytes::from("first"))), 1));
        }
        // The server sends what it has when a body makes it wait.
        tokio::task::yield_now().await;
        Some((end(), 2))
    });
    StreamBody::new(Box::pin(frames))
}

/// Defines errors, each with the source that it is given, if any.
macro_rules! errors {
    ($($name:ident)*) => { $(
        #[derive(Debug, Default)]
        pub struct $name(pub Option<BoxError>);

        impl $name {
            pub fn of(source: impl Into<BoxError>) -> Self {
                Self(Some(source.into()))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), " with a secret"))
            }
        }

        impl Error for $name {
            fn source(&self) -> Option<&(dyn Error + 'static)> {
                match &self.0 {
                    Some(source) => Some(&**source),
                    None => None,
                }
            }
        }
    )* };
}

errors! { Inner Outer Other }
