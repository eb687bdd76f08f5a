//! HTTP/1.1 and HTTP/2 on one port, distinguished by the first bytes of a connection.

use std::{convert::Infallible, error::Error, time::Duration};

use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto::Builder,
    service::TowerToHyperService,
};
use tokio::net::TcpListener;
use tower::Service;

pub async fn serve<S, B>(listener: TcpListener, app: S) -> Infallible
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible, Future: Send>,
    S: Clone + Send + 'static,
    B: Body<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static,
{
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            // The client has gone, or too many files are open, which passes.
            Err(error) => {
                eprintln!("accept: {error}");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        // Head and body of an HTTP/2 response are two writes: the second must not wait for the
        // client's acknowledgement of the first. If this fails, responses are only slower.
        let _ = stream.set_nodelay(true);
        let app = TowerToHyperService::new(app.clone());
        tokio::spawn(async move {
            let mut builder = Builder::new(TokioExecutor::new());
            // Allows WebSockets over HTTP/2.
            builder.http2().enable_connect_protocol();
            let served = builder.serve_connection_with_upgrades(TokioIo::new(stream), app);
            if let Err(error) = served.await {
                eprintln!("connection: {error}");
            }
        });
    }
}
