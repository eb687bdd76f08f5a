//! Several failures at once, on several threads: one of them closes the connection, with one close
//! frame.

use std::sync::Arc;

use axum::extract::ws::WebSocket;
use futures_util::StreamExt;
use tokio::sync::Barrier;
use tower::Layer;
use tower_exception::{CloseCode, HttpException, WebSocketException, WebSockets};

use crate::support::websocket::*;

const ROUNDS: usize = 100;

fn restart() -> WebSocketException {
    WebSocketException::new(CloseCode::SERVICE_RESTART)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn one_of_several_failures_closes_the_connection() {
    let barrier = Arc::new(Barrier::new(4));
    let websockets = WebSockets::new();
    let layer = layer_with(&websockets);
    let route = {
        let barrier = barrier.clone();
        axum::routing::any(
            move |upgrade: axum::extract::ws::WebSocketUpgrade,
                  exceptions: tower_exception::WebSocketHandle| async move {
                upgrade.on_upgrade(move |socket: WebSocket| async move {
                    let (writing, mut reading) = socket.split();
                    let other = exceptions.clone().catch({
                        let barrier = barrier.clone();
                        move |()| async move {
                            barrier.wait().await;
                            Err::<(), tower_exception::Error>(
                                HttpException::gone("sold out").into(),
                            )
                        }
                    });
                    tokio::spawn(other(()));
                    let raising = exceptions.catch(move |()| async move {
                        barrier.wait().await;
                        drop(writing);
                        reading.next().await.transpose()?;
                        no_swearing().raise()
                    });
                    raising(()).await;
                })
            },
        )
    };
    let address = serve(app(route, layer.clone())).await;
    let possible = [
        close_frame(1012, ""),
        close_frame(4410, "sold out"),
        close_frame(1008, "no swearing"),
        // tungstenite's reply to the client's close frame.
        close_frame(1000, ""),
    ];
    for _ in 0..ROUNDS {
        let mut client = Raw::open(address, "/").await;
        let closing = {
            let (websockets, barrier) = (websockets.clone(), barrier.clone());
            tokio::spawn(async move {
                barrier.wait().await;
                websockets.close_all(restart()).await;
            })
        };
        within(barrier.wait()).await;
        client.send(&masked_close(1000)).await;
        let sent = client.rest().await.unwrap();
        assert!(possible.contains(&sent), "{sent:?}");
        within(closing).await.unwrap();
        all_closed(&websockets).await;
    }
}

/// `close_all` is called while the handshake is answered.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn close_all_during_the_handshake_sends_one_close_frame() {
    let websockets = WebSockets::new();
    let layer = layer_with(&websockets);
    let app = accepting(async |_io| no_swearing().raise());
    let address = serve(layer.layer(app)).await;
    for _ in 0..ROUNDS {
        let closing = tokio::spawn({
            let websockets = websockets.clone();
            async move { websockets.close_all(restart()).await }
        });
        let mut client = Raw::open(address, "/").await;
        client.send(&masked_close(1000)).await;
        let sent = client.rest().await.unwrap();
        assert!(
            sent == close_frame(1012, "") || sent == close_frame(1008, "no swearing"),
            "{sent:?}"
        );
        within(closing).await.unwrap();
    }
    all_closed(&websockets).await;
}
