//! HTTP/3: runs a tower service for one request of a connection of h3.

use std::{
    convert::Infallible,
    pin::{Pin, pin},
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};
use h3::{
    error::{Code, StreamError},
    quic::{BidiStream, RecvStream},
    server::RequestStream,
};
use http::{
    HeaderName, Request, Response,
    header::{CONNECTION, TRANSFER_ENCODING, UPGRADE},
};
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use tower::{Service, ServiceExt};

/// Body of a request.
pub struct RequestBody<S>(RequestStream<S, Bytes>);

impl<S: RecvStream> Body for RequestBody<S> {
    type Data = Bytes;
    type Error = StreamError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, StreamError>>> {
        let data = ready!(self.0.poll_recv_data(cx)).transpose();
        let frame = |mut data: _| Frame::data(copy(&mut data));
        Poll::Ready(data.map(|data| data.map(frame)))
    }
}

fn copy(data: &mut impl Buf) -> Bytes {
    data.copy_to_bytes(data.remaining())
}

/// Headers without a meaning in HTTP/3. A message with one of them is malformed (RFC 9114, section
/// 4.2).
const OF_CONNECTION: [HeaderName; 5] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    TRANSFER_ENCODING,
    UPGRADE,
];

/// Sends the response of `service` to `request`, as hyper does over HTTP/1 and HTTP/2.
///
/// A body that fails resets the stream, so that the client cannot take the half for the whole
/// (RFC 9114, section 4.1).
///
/// # Errors
///
/// Fails if the client has left.
pub async fn respond<T, S, B>(
    request: Request<()>,
    stream: RequestStream<T, Bytes>,
    service: S,
) -> Result<(), StreamError>
where
    T: BidiStream<Bytes>,
    S: Service<Request<RequestBody<T::RecvStream>>, Response = Response<B>, Error = Infallible>,
    B: Body<Data = Bytes>,
{
    let (mut sender, receiver) = stream.split();
    let request = request.map(|()| RequestBody(receiver));
    let Ok(response) = service.oneshot(request).await;
    let (mut head, body) = response.into_parts();
    for name in &OF_CONNECTION {
        head.headers.remove(name);
    }
    sender.send_response(Response::from_parts(head, ())).await?;
    let mut body = pin!(body);
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else {
            sender.stop_stream(Code::H3_INTERNAL_ERROR);
            return Ok(());
        };
        match frame.into_data().map_err(Frame::into_trailers) {
            Ok(data) => sender.send_data(data).await?,
            Err(Ok(trailers)) => sender.send_trailers(trailers).await?,
            Err(Err(_)) => {}
        }
    }
    sender.finish().await
}
