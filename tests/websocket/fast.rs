//! fastwebsockets, which writes frames itself, on hyper's connection.

use std::{
    convert::Infallible,
    future::{Ready, ready},
};

use bytes::Bytes;
use fastwebsockets::{Frame, OpCode, WebSocket, upgrade};
use http::{Request, Response};
use http_body_util::Empty;
use hyper::body::Incoming;
use tower::{BoxError, Layer, service_fn, util::ServiceFn};
use tower_exception::{HttpException, WebSocketHandle, WebSockets};

use crate::support::websocket::*;

type Socket = WebSocket<ServerIo>;
type HyperResult = Result<Response<Empty<Bytes>>, Infallible>;

fn bare<F, Fut>(callback: F) -> ServiceFn<impl Fn(Request<Incoming>) -> Ready<HyperResult> + Clone>
where
    F: Fn(Socket) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    service_fn(move |mut request: Request<Incoming>| {
        let (response, upgrade) = upgrade::upgrade(&mut request).unwrap();
        let callback = callback.clone();
        tokio::spawn(async move { callback(upgrade.await.unwrap()).await });
        ready(Ok(response))
    })
}

fn catching<F, Fut>(
    callback: F,
) -> ServiceFn<impl Fn(Request<Incoming>) -> Ready<HyperResult> + Clone>
where
    F: Fn(Socket) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = tower_exception::Result<()>> + Send + 'static,
{
    service_fn(move |mut request: Request<Incoming>| {
        let callback = WebSocketHandle::of(&request)
            .unwrap()
            .catch(callback.clone());
        let (response, upgrade) = upgrade::upgrade(&mut request).unwrap();
        tokio::spawn(async move { callback(upgrade.await.unwrap()).await });
        ready(Ok(response))
    })
}

async fn echo_one(socket: &mut Socket) {
    let frame = socket.read_frame().await.unwrap();
    socket
        .write_frame(Frame::text(frame.payload))
        .await
        .unwrap();
}

macro_rules! assert_closes {
    ($app:expr, $code:expr, $reports:expr) => {{
        let websockets = WebSockets::new();
        let (layer, mut reports) = observed(layer_with(&websockets));
        let address = serve(layer.layer($app)).await;
        let mut client = connect(address, "/").await;
        assert_eq!(closed_after_hello(&mut client).await, $code);
        all_closed(&websockets).await;
        let expected: &[&str] = &$reports;
        assert_eq!(reports.take(), expected);
    }};
}

#[tokio::test]
async fn every_failure_becomes_a_close_frame_and_a_report() {
    let swearing = || code(1008, "no swearing");
    assert_closes!(
        bare(async |mut socket: Socket| {
            echo_one(&mut socket).await;
            no_swearing().raise()
        }),
        swearing(),
        ["Raised WebSocket Close(1008): 1008: no swearing"]
    );
    assert_closes!(
        bare(async |mut socket: Socket| {
            echo_one(&mut socket).await;
            no_swearing().raise_async().await
        }),
        swearing(),
        ["Raised WebSocket Close(1008): 1008: no swearing"]
    );
    assert_closes!(
        bare(async |mut socket: Socket| {
            echo_one(&mut socket).await;
            panic!("{SECRET_TEXT}")
        }),
        code(1011, ""),
        ["Panicked WebSocket Close(1011): panicked"]
    );
    assert_closes!(
        bare(async |mut socket: Socket| echo_one(&mut socket).await),
        code(1000, ""),
        []
    );
    assert_closes!(
        catching(async |mut socket: Socket| {
            echo_one(&mut socket).await;
            Err(no_swearing().into())
        }),
        swearing(),
        ["Returned WebSocket Close(1008): 1008: no swearing"]
    );
    assert_closes!(
        catching(async |mut socket: Socket| {
            echo_one(&mut socket).await;
            no_swearing().raise_async().await
        }),
        swearing(),
        ["RaisedAsync WebSocket Close(1008): 1008: no swearing"]
    );
    assert_closes!(
        catching(async |mut socket: Socket| {
            echo_one(&mut socket).await;
            Err(HttpException::not_found("no such room").into())
        }),
        code(4404, "no such room"),
        ["Returned WebSocket Close(4404): 404: no such room"]
    );
    assert_closes!(
        catching(async |mut socket: Socket| {
            echo_one(&mut socket).await;
            Err(SecretError.into())
        }),
        code(1011, ""),
        ["Returned WebSocket Close(1011): the password is hunter2"]
    );
}

#[tokio::test]
async fn an_exception_before_the_handshake_becomes_a_close_frame() {
    let app = service_fn(
        async |mut request: Request<Incoming>| -> Result<Response<Empty<Bytes>>, BoxError> {
            let (_response, _upgrade) = upgrade::upgrade(&mut request)?;
            Err(no_swearing().into())
        },
    );
    let address = serve(websocket_layer().layer(app)).await;
    let mut client = connect(address, "/").await;
    assert_eq!(closed(&mut client).await, code(1008, "no swearing"));
}

/// The application has sent a close frame, as a reply or on its own. The layer adds nothing.
#[tokio::test]
async fn no_second_close_frame_is_sent() {
    let app = bare(async |mut socket: Socket| {
        let frame = socket.read_frame().await.unwrap();
        match frame.opcode {
            OpCode::Close => {}
            _ => socket
                .write_frame(Frame::close(4000, b"mine"))
                .await
                .unwrap(),
        }
        no_swearing().raise()
    });
    let websockets = WebSockets::new();
    let (layer, mut reports) = observed(layer_with(&websockets));
    let address = serve(layer.layer(app)).await;
    for (sent, reply) in [
        (masked_close(4001), close_frame(4001, "")),
        (
            [masked(TEXT, b"hello"), masked_close(4000)].concat(),
            close_frame(4000, "mine"),
        ),
    ] {
        let mut client = Raw::open(address, "/").await;
        client.send(&sent).await;
        assert_eq!(client.rest().await.unwrap(), reply);
        all_closed(&websockets).await;
        assert_eq!(
            reports.take(),
            ["Raised WebSocket Aborted: 1008: no swearing"]
        );
    }
}

#[tokio::test]
async fn a_close_frame_may_follow_a_fragment() {
    let app = bare(async |mut socket: Socket| {
        let begun = Frame::new(false, OpCode::Text, None, b"hel".as_slice().into());
        socket.write_frame(begun).await.unwrap();
        no_swearing().raise()
    });
    let address = serve(websocket_layer().layer(app)).await;
    let mut client = Raw::open(address, "/").await;
    client.send(&masked_close(1008)).await;
    let expected = [frame(0x01, b"hel"), close_frame(1008, "no swearing")];
    assert_eq!(client.rest().await.unwrap(), expected.concat());
}
