//! Panics in the task of a WebSocket.

use std::panic::{catch_unwind, resume_unwind};

use tower_exception::HttpException;

use crate::{
    panic_formatted, panic_here,
    seen::watched,
    support::{
        Server,
        websocket::websocket_layer,
        websocket::{app, bare, catching, closed, closed_after_hello, connect, echo_one},
    },
};

#[tokio::test]
async fn a_panic_of_a_websocket_has_its_place() {
    let cases = [
        ("catching", catching(async |_| panic_here!())),
        ("bare", bare(async |_| panic_here!())),
        ("bare, formatted", bare(async |_| panic_formatted!())),
    ];
    for (case, route) in cases {
        let (layer, mut panics) = watched(websocket_layer());
        let server = Server::start(app(route, layer)).await;
        let mut client = connect(server.address(), "/").await;
        assert_eq!(closed(&mut client).await.0, 4500, "{case}");
        panics
            .next_handled()
            .await
            .assert_is_in("websocket.rs", case);
    }
}

#[tokio::test]
async fn a_panic_that_a_bare_websocket_has_swallowed_is_not_taken_for_another() {
    let swallow = || drop(catch_unwind(|| panic!("swallowed")));
    let cases = [
        // A poll of the connection is between the two.
        (
            "resumed",
            bare(move |mut socket| async move {
                swallow();
                echo_one(&mut socket).await;
                resume_unwind(Box::new(7_u8))
            }),
        ),
        // Both may be what unwinds.
        (
            "twice",
            bare(move |mut socket| async move {
                echo_one(&mut socket).await;
                swallow();
                panic!("the last one")
            }),
        ),
    ];
    for (case, route) in cases {
        let (layer, mut panics) = watched(websocket_layer());
        let server = Server::start(app(route, layer)).await;
        let mut client = connect(server.address(), "/").await;
        closed_after_hello(&mut client).await;
        let seen = panics.next_handled().await;
        assert_eq!((seen.location, seen.message), (None, None), "{case}");
    }
}

#[tokio::test]
async fn an_exception_of_a_bare_websocket_has_not_the_place_of_a_swallowed_panic() {
    let (layer, mut panics) = watched(websocket_layer());
    let route = bare(|mut socket| async move {
        echo_one(&mut socket).await;
        drop(catch_unwind(|| panic!("swallowed")));
        HttpException::conflict("taken").raise()
    });
    let server = Server::start(app(route, layer)).await;
    let mut client = connect(server.address(), "/").await;
    assert_eq!(
        closed_after_hello(&mut client).await,
        (4409, "taken".into())
    );
    panics.assert_none();
}
