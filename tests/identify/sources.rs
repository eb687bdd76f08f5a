//! The sources of an id, and ids that a client should not have sent.

use http::header::HeaderName;
use tower_exception::{ExceptionLayer, Ids};

use crate::{ID, get, id_of, is_uuid_v7, layer, serve, support::PROTOCOLS};

const TRACE_ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const TRACEPARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

#[tokio::test]
async fn the_first_source_that_has_an_id_counts() {
    let server = serve(layer()).await;
    for protocol in PROTOCOLS {
        let mut client = server.connect(protocol).await;
        for (headers, expected) in [
            (
                &[("x-request-id", ID), ("traceparent", TRACEPARENT)][..],
                ID,
            ),
            (&[("traceparent", TRACEPARENT)], TRACE_ID),
            (
                &[("x-request-id", "a b"), ("traceparent", TRACEPARENT)],
                TRACE_ID,
            ),
        ] {
            let received = client.exchange(get("/returned", headers)).await.unwrap();
            assert_eq!(id_of(&received), expected, "{headers:?}");
        }
        let received = client.exchange(get("/returned", &[])).await.unwrap();
        assert!(is_uuid_v7(&id_of(&received)));
    }
}

#[tokio::test]
async fn an_id_that_could_do_harm_is_not_echoed() {
    let server = serve(layer()).await;
    let long = "a".repeat(101);
    for id in [
        "", "<script>", "a b", "a\u{fc}", "a\"", "a,b", "a;b", "%0a", &long,
    ] {
        let received = server.send(get("/returned", &[("x-request-id", id)])).await;
        assert!(is_uuid_v7(&id_of(&received)), "{id}");
    }
}

#[tokio::test]
async fn without_a_source_that_has_one_there_is_no_id() {
    let server = serve(ExceptionLayer::new().identify(Ids::request_id())).await;
    let received = server.get("/returned").await;
    received.assert_detail(409, "sold out");
    assert_eq!(received.header("x-request-id"), None);
}

#[tokio::test]
async fn the_headers_are_those_of_the_user() {
    let ids = Ids::header(HeaderName::from_static("x-ray"))
        .or_header(HeaderName::from_static("x-correlation"))
        .with_response_header(HeaderName::from_static("x-error-id"));
    let server = serve(ExceptionLayer::new().identify(ids)).await;
    for name in ["x-ray", "x-correlation"] {
        let received = server.send(get("/returned", &[(name, ID)])).await;
        assert_eq!(received.header("x-error-id"), Some(ID));
        assert_eq!(received.header("x-request-id"), None);
        assert!(received.text().contains(ID));
    }
    let trace = serve(ExceptionLayer::new().identify(Ids::trace_id())).await;
    let received = trace
        .send(get("/returned", &[("traceparent", TRACEPARENT)]))
        .await;
    assert_eq!(id_of(&received), TRACE_ID);
}

#[tokio::test]
async fn two_failures_have_two_new_ids() {
    let server = serve(ExceptionLayer::new().identify(Ids::new_id())).await;
    let first = id_of(&server.get("/returned").await);
    let second = id_of(&server.send(get("/returned", &[("x-request-id", ID)])).await);
    assert!(is_uuid_v7(&first) && is_uuid_v7(&second));
    assert!(first < second, "they are in the order of time");
}
