//! Several causes at once, on several threads: one of them closes the connection, and one close frame goes out.

use std::sync::Arc;

use axum::extract::ws::WebSocket;
use futures_util::StreamExt;
use tokio::sync::Barrier;
use tower::{BoxError, Layer};
use tower_exception::{CloseCode, HttpException, WebSocketException};

use crate::support::*;

const ROUNDS: usize = 100;

fn restart() -> WebSocketException {
    WebSocketException::new(CloseCode::SERVICE_RESTART)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn an_error_and_a_raise_and_a_shutdown_and_a_client_that_closes() {
    let barrier = Arc::new(Barrier::new(4));
    let layer = upgrades();
    let route = {
        let barrier = barrier.clone();
        axum::routing::any(
            move |upgrade: axum::extract::ws::WebSocketUpgrade,
                  exceptions: tower_exception::UpgradeHandle| async move {
                upgrade.on_upgrade(move |socket: WebSocket| async move {
                    let (writing, mut reading) = socket.split();
                    let other = exceptions.clone().catch({
                        let barrier = barrier.clone();
                        move |()| async move {
                            barrier.wait().await;
                            Err::<(), BoxError>(HttpException::gone("sold out").into())
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
        // tungstenite's answer to the client's.
        close_frame(1000, ""),
    ];
    for _ in 0..ROUNDS {
        let mut client = Raw::open(address, "/").await;
        let closing = {
            let (upgrades, barrier) = (layer.upgrades(), barrier.clone());
            tokio::spawn(async move {
                barrier.wait().await;
                upgrades.close_all(restart()).await;
            })
        };
        within(barrier.wait()).await;
        client.send(&masked_close(1000)).await;
        let sent = client.rest().await.unwrap();
        assert!(possible.contains(&sent), "{sent:?}");
        within(closing).await.unwrap();
        all_closed(&layer).await;
    }
}

/// The order to close comes while the handshake is answered.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_shutdown_while_it_opens() {
    let layer = upgrades();
    let app = accepting(async |_io| no_swearing().raise());
    let address = serve(layer.layer(app)).await;
    for _ in 0..ROUNDS {
        let upgrades = layer.upgrades();
        let closing = tokio::spawn(async move { upgrades.close_all(restart()).await });
        let mut client = Raw::open(address, "/").await;
        client.send(&masked_close(1000)).await;
        let sent = client.rest().await.unwrap();
        assert!(
            sent == close_frame(1012, "") || sent == close_frame(1008, "no swearing"),
            "{sent:?}"
        );
        within(closing).await.unwrap();
    }
    all_closed(&layer).await;
}
