//! Positions in the stream of frames at which an application ends.

use std::io::IoSlice;

use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tower::Layer;
use tower_exception::WebSockets;

use crate::support::websocket::*;

/// The way in which an application ends.
#[derive(Clone, Copy, Debug)]
enum Ending {
    Raised,
    Panicked,
    Dropped,
}

const ENDINGS: [Ending; 3] = [Ending::Raised, Ending::Panicked, Ending::Dropped];

impl Ending {
    fn end(self) {
        match self {
            Self::Raised => no_swearing().raise(),
            Self::Panicked => panic!("{SECRET_TEXT}"),
            Self::Dropped => {}
        }
    }

    fn close_frame(self) -> Vec<u8> {
        match self {
            Self::Raised => close_frame(1008, "no swearing"),
            Self::Panicked => close_frame(1011, ""),
            Self::Dropped => close_frame(1000, ""),
        }
    }

    /// Asserts that these are the reports of an ending after which no close frame could be sent.
    fn assert_aborted(self, reports: &[Report]) {
        match (self, reports) {
            (Self::Raised, [one]) => {
                assert_eq!(one, "Raised WebSocket Aborted: 1008: no swearing");
            }
            (Self::Panicked, [one]) => assert_eq!(one, "Panicked WebSocket Aborted: panicked"),
            (Self::Dropped, []) => {}
            other => panic!("{other:?}"),
        }
    }
}

/// Starts an application that writes `bytes` and ends by `ending`, and a client that sends `reply`.
/// Returns all bytes that the client receives, and the reports.
async fn sent(bytes: Vec<u8>, ending: Ending, reply: &[u8]) -> (Vec<u8>, Vec<Report>) {
    let app = accepting(move |mut io: ServerIo| {
        let bytes = bytes.clone();
        async move {
            io.write_all(&bytes).await.unwrap();
            ending.end();
        }
    });
    let websockets = WebSockets::new();
    let (layer, mut reports) = observed(layer_with(&websockets));
    let address = serve(layer.layer(app)).await;
    let mut client = Raw::open(address, "/").await;
    client.send(reply).await;
    let sent = client.rest().await.unwrap();
    all_closed(&websockets).await;
    (sent, reports.take())
}

#[tokio::test]
async fn a_close_frame_may_follow_a_fragment() {
    for ending in ENDINGS {
        for fragments in [
            frame(0x01, b"hel"),
            [frame(0x02, b"hel"), frame(0x00, b"lo")].concat(),
            [frame(0x01, b"hel"), frame(0x89, b"ping")].concat(),
            [frame(0x01, b"hel"), frame(0x80, b"lo"), frame(0x01, b"")].concat(),
        ] {
            let (sent, _) = sent(fragments.clone(), ending, &masked_close(1000)).await;
            assert_eq!(
                sent,
                [fragments, ending.close_frame()].concat(),
                "{ending:?}"
            );
        }
    }
}

/// The client would take a close frame for the rest of the frame, so none is sent.
#[tokio::test]
async fn an_incomplete_frame_is_followed_by_nothing() {
    let mut frames = vec![frame(TEXT, b"hello"), close_frame(1000, "bye")];
    frames.push([&[0x82, 126, 0x01, 0x00][..], &[0x88; 256]].concat());
    frames.push([&[0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0][..], &[0x88; 9]].concat());
    for frame in frames {
        for length in (1..frame.len()).filter(|length| *length < 12 || length + 3 > frame.len()) {
            let ending = ENDINGS[length % 3];
            let begun = frame[..length].to_vec();
            let (sent, reports) = sent(begun.clone(), ending, &[]).await;
            assert_eq!(sent, begun, "{ending:?}");
            ending.assert_aborted(&reports);
        }
    }
}

#[tokio::test]
async fn frames_may_be_written_as_several_slices() {
    let app = accepting(async |mut io: ServerIo| {
        assert!(io.is_write_vectored());
        let frames = [frame(TEXT, b"hello"), frame(0x01, b"hel")].concat();
        let (first, second) = frames.split_at(3);
        let slices = [IoSlice::new(&[]), IoSlice::new(first), IoSlice::new(second)];
        assert_eq!(io.write_vectored(&slices).await.unwrap(), frames.len());
        no_swearing().raise()
    });
    let address = serve(websocket_layer().layer(app)).await;
    let mut client = Raw::open(address, "/").await;
    client.send(&masked_close(1008)).await;
    let expected = [
        frame(TEXT, b"hello"),
        frame(0x01, b"hel"),
        close_frame(1008, "no swearing"),
    ];
    assert_eq!(client.rest().await.unwrap(), expected.concat());
}

#[tokio::test]
async fn a_close_frame_of_the_application_is_followed_by_nothing() {
    let own = close_frame(4000, "mine");
    for ending in ENDINGS {
        let (sent, reports) = sent(own.clone(), ending, &masked_close(4000)).await;
        assert_eq!(sent, own, "{ending:?}");
        ending.assert_aborted(&reports);
    }
}

#[tokio::test]
async fn a_shutdown_of_the_application_is_followed_by_nothing() {
    for ending in ENDINGS {
        let app = accepting(move |mut io: ServerIo| async move {
            io.shutdown().await.unwrap();
            ending.end();
        });
        let websockets = WebSockets::new();
        let layer = layer_with(&websockets);
        let address = serve(layer.layer(app)).await;
        let mut client = Raw::open(address, "/").await;
        assert_eq!(client.rest().await.unwrap(), b"");
        all_closed(&websockets).await;
    }
}

/// An application may drop the connection after the client's close frame. The layer replies for it.
#[tokio::test]
async fn the_clients_close_frame_gets_a_reply() {
    async fn reply_to(websockets: WebSockets, ending: Ending, close: Vec<u8>) -> Vec<u8> {
        let length = close.len();
        let app = accepting(move |mut io: ServerIo| async move {
            io.read_exact(&mut vec![0; length]).await.unwrap();
            ending.end();
        });
        let address = serve(layer_with(&websockets).layer(app)).await;
        let mut client = Raw::open(address, "/").await;
        for byte in close {
            client.send(&[byte]).await;
        }
        let reply = client.rest().await.unwrap();
        all_closed(&websockets).await;
        reply
    }
    for (close, code) in [
        (masked_close(4001), 4001),
        (masked_close(1001), 1001),
        (masked(CLOSE, &close_payload(1008, "bye")), 1008),
        (masked(CLOSE, &[]), 1000),
        (masked_close(1005), 1002),
        (masked_close(2999), 1002),
        ([masked(TEXT, b"hello"), masked_close(4002)].concat(), 4002),
    ] {
        let reply = reply_to(WebSockets::new(), Ending::Dropped, close).await;
        assert_eq!(reply, close_frame(code, ""));
    }
    let going_away = WebSockets::new().close_on_drop(tower_exception::CloseCode::GOING_AWAY);
    let reply = reply_to(going_away, Ending::Dropped, masked_close(4001)).await;
    assert_eq!(reply, close_frame(4001, ""));
    let reply = reply_to(WebSockets::new(), Ending::Raised, masked_close(4001)).await;
    assert_eq!(reply, close_frame(1008, "no swearing"));
    let without_close_frame = WebSockets::new().close_on_drop(None);
    assert_eq!(
        reply_to(without_close_frame, Ending::Dropped, masked_close(4001)).await,
        b""
    );
}

/// tungstenite replies to a close frame itself, and shows it to the application.
#[tokio::test]
async fn a_reply_of_the_library_is_followed_by_nothing() {
    let websockets = WebSockets::new();
    let (layer, mut reports) = observed(layer_with(&websockets));
    let route = bare(async |mut socket| {
        while let Some(Ok(_)) = socket.recv().await {}
        no_swearing().raise()
    });
    let address = serve(app(route, layer.clone())).await;
    let mut client = connect(address, "/").await;
    client.close(None).await.unwrap();
    let mut client = client.into_inner();
    let mut sent = Vec::new();
    within(client.read_to_end(&mut sent)).await.unwrap();
    assert_eq!(sent, frame(CLOSE, &[]));
    all_closed(&websockets).await;
    assert_eq!(
        reports.take(),
        ["Raised WebSocket Aborted: 1008: no swearing"]
    );
}

#[tokio::test]
async fn an_application_may_close_by_itself() {
    let websockets = WebSockets::new();
    let (layer, mut reports) = observed(layer_with(&websockets));
    let route = bare(async |mut socket| {
        let frame = axum::extract::ws::CloseFrame {
            code: 4000,
            reason: "mine".into(),
        };
        let close = axum::extract::ws::Message::Close(Some(frame));
        socket.send(close).await.unwrap();
    });
    let address = serve(app(route, layer.clone())).await;
    for protocol in PROTOCOLS {
        let mut client = connect_over(protocol, address, "/").await;
        assert_eq!(closed(&mut client).await, code(4000, "mine"));
    }
    all_closed(&websockets).await;
    reports.assert_none();
}
