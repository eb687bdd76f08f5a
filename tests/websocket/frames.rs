//! Where in the stream of frames it is that the application lets go.

use std::io::IoSlice;

use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tower::Layer;
use tower_exception::ExceptionLayer;

use crate::support::*;

/// How an application lets go of a connection.
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

    /// What observers are told where no close frame could be sent.
    fn assert_told_cut_short(self, told: &[String]) {
        match (self, told) {
            (Self::Raised, [one]) => {
                assert_eq!(one, "Raised Upgraded CutShort: 1008: no swearing");
            }
            (Self::Panicked, [one]) => assert_eq!(one, "Panicked Upgraded CutShort: panicked"),
            (Self::Dropped, []) => {}
            other => panic!("{other:?}"),
        }
    }
}

/// All that a server sends that writes `bytes` and ends so; and what its observers are told. The client sends
/// `answer` meanwhile.
async fn sent(bytes: Vec<u8>, ending: Ending, answer: &[u8]) -> (Vec<u8>, Vec<String>) {
    let app = accepting(move |mut io: Bare| {
        let bytes = bytes.clone();
        async move {
            io.write_all(&bytes).await.unwrap();
            ending.end();
        }
    });
    let (layer, mut told) = observed(upgrades());
    let address = serve(layer.layer(app)).await;
    let mut client = Raw::open(address, "/").await;
    client.send(answer).await;
    let sent = client.rest().await.unwrap();
    all_closed(&layer).await;
    (sent, told.all())
}

#[tokio::test]
async fn between_the_fragments_of_a_message() {
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

/// Whatever was sent there would be taken for the rest of the frame.
#[tokio::test]
async fn inside_a_frame() {
    let mut frames = vec![frame(TEXT, b"hello"), close_frame(1000, "bye")];
    frames.push([&[0x82, 126, 0x01, 0x00][..], &[0x88; 256]].concat());
    frames.push([&[0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0][..], &[0x88; 9]].concat());
    for frame in frames {
        for length in (1..frame.len()).filter(|length| *length < 12 || length + 3 > frame.len()) {
            let ending = ENDINGS[length % 3];
            let begun = frame[..length].to_vec();
            let (sent, told) = sent(begun.clone(), ending, &[]).await;
            assert_eq!(sent, begun, "{ending:?}");
            ending.assert_told_cut_short(&told);
        }
    }
}

#[tokio::test]
async fn written_as_several_slices() {
    let app = accepting(async |mut io: Bare| {
        assert!(io.is_write_vectored());
        let frames = [frame(TEXT, b"hello"), frame(0x01, b"hel")].concat();
        let (first, second) = frames.split_at(3);
        let slices = [IoSlice::new(&[]), IoSlice::new(first), IoSlice::new(second)];
        assert_eq!(io.write_vectored(&slices).await.unwrap(), frames.len());
        no_swearing().raise()
    });
    let address = serve(upgrades().layer(app)).await;
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
async fn after_a_close_frame_of_its_own() {
    let own = close_frame(4000, "mine");
    for ending in ENDINGS {
        let (sent, told) = sent(own.clone(), ending, &masked_close(4000)).await;
        assert_eq!(sent, own, "{ending:?}");
        ending.assert_told_cut_short(&told);
    }
}

#[tokio::test]
async fn after_it_has_shut_down() {
    for ending in ENDINGS {
        let app = accepting(move |mut io: Bare| async move {
            io.shutdown().await.unwrap();
            ending.end();
        });
        let layer = upgrades();
        let address = serve(layer.layer(app)).await;
        let mut client = Raw::open(address, "/").await;
        assert_eq!(client.rest().await.unwrap(), b"");
        all_closed(&layer).await;
    }
}

/// An application that drops the connection once the client has closed it need not answer the close itself.
#[tokio::test]
async fn after_the_clients_close_frame() {
    async fn answer(
        layer: ExceptionLayer<tower_exception::Custom>,
        ending: Ending,
        close: Vec<u8>,
    ) -> Vec<u8> {
        let length = close.len();
        let app = accepting(move |mut io: Bare| async move {
            io.read_exact(&mut vec![0; length]).await.unwrap();
            ending.end();
        });
        let address = serve(layer.layer(app)).await;
        let mut client = Raw::open(address, "/").await;
        for byte in close {
            client.send(&[byte]).await;
        }
        let answer = client.rest().await.unwrap();
        all_closed(&layer).await;
        answer
    }
    for (close, code) in [
        (masked_close(4001), 4001),
        (masked_close(1001), 1001),
        (masked(CLOSE, &closing(1008, "bye")), 1008),
        (masked(CLOSE, &[]), 1000),
        (masked_close(1005), 1000),
        (masked_close(2999), 1000),
        ([masked(TEXT, b"hello"), masked_close(4002)].concat(), 4002),
    ] {
        let answered = answer(upgrades(), Ending::Dropped, close).await;
        assert_eq!(answered, close_frame(code, ""));
    }
    let going_away = upgrades().close_on_drop(tower_exception::CloseCode::GOING_AWAY);
    let answered = answer(going_away, Ending::Dropped, masked_close(4001)).await;
    assert_eq!(answered, close_frame(4001, ""));
    let answered = answer(upgrades(), Ending::Raised, masked_close(4001)).await;
    assert_eq!(answered, close_frame(1008, "no swearing"));
    let cut = upgrades().close_on_drop(None);
    assert_eq!(answer(cut, Ending::Dropped, masked_close(4001)).await, b"");
}

/// tungstenite answers a close frame by itself, and axum's applications see it.
#[tokio::test]
async fn the_servers_library_has_answered_the_close() {
    let (layer, mut told) = observed(upgrades());
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
    all_closed(&layer).await;
    assert_eq!(told.all(), ["Raised Upgraded CutShort: 1008: no swearing"]);
}

#[tokio::test]
async fn an_application_that_closes_by_itself() {
    let (layer, mut told) = observed(upgrades());
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
    all_closed(&layer).await;
    told.assert_nothing_else();
}
