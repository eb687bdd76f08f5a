//! The error cases of gRPC's interoperability tests, asked by tonic's client and, with
//! `tests/conformance/grpcio/run.sh`, by Python's.
//!
//! The requested status leaves the service as tonic's `Status`, or as an exception that is
//! returned, raised, or raised without unwinding. Each test has the name of its case. Beyond the
//! case, it checks what the layer reports, and that the connection still works.
//!
//! Left out are the cases of authentication, compression, caching, and of calls that only succeed.

mod service;

use std::{net::SocketAddr, ops::RangeInclusive, time::Duration};

use futures_util::{StreamExt as _, stream};
use http::uri::PathAndQuery;
use tokio::process::Command;
use tonic::{
    Code, Request, Response, Status, Streaming,
    client::Grpc,
    metadata::{BinaryMetadataValue, MetadataMap},
    transport::{Channel, Endpoint},
};
use tonic_prost::ProstCodec;
use tower_exception::{GrpcCode, Outcome};

use self::service::{Event, INITIAL, KINDS, TRAILING, Tested, WAY, WAYS, Way, payload};
use crate::{
    generated::{
        EchoStatus, Empty, ResponseParameters, SimpleRequest, StreamingInputCallRequest,
        StreamingOutputCallRequest, StreamingOutputCallResponse,
        test_service_client::TestServiceClient,
    },
    support::within,
};

type Client = TestServiceClient<Channel>;

const CODES: RangeInclusive<i32> = 1..=16;

/// Sizes of the payloads of the cases.
const LARGE_REQUEST: i32 = 271_828;
const LARGE_RESPONSE: i32 = 314_159;

async fn channel(address: SocketAddr) -> Channel {
    let endpoint = Endpoint::try_from(format!("http://{address}")).unwrap();
    within(endpoint.connect()).await.unwrap()
}

async fn client(address: SocketAddr) -> Client {
    Client::new(channel(address).await)
}

/// Returns a request that makes the service fail in this way.
fn request_in<T>(way: Way, message: T) -> Request<T> {
    let mut request = Request::new(message);
    let way = format!("{way:?}").parse().unwrap();
    request.metadata_mut().insert(WAY, way);
    request
}

fn echo_status(code: i32, message: &str) -> Option<EchoStatus> {
    let message = message.to_owned();
    Some(EchoStatus { code, message })
}

/// Makes a unary call and a call of streams which fail with this status.
async fn failing(client: &mut Client, way: Way, code: i32, message: &str) -> [Status; 2] {
    let response_status = echo_status(code, message);
    let unary = SimpleRequest {
        response_status: response_status.clone(),
        ..SimpleRequest::default()
    };
    let unary = within(client.unary_call(with_metadata(request_in(way, unary)))).await;
    let duplex = StreamingOutputCallRequest {
        response_status,
        ..StreamingOutputCallRequest::default()
    };
    let requests = stream::iter([duplex]);
    let duplex = within(client.full_duplex_call(with_metadata(request_in(way, requests)))).await;
    [unary.unwrap_err(), only_status(duplex).await]
}

/// Returns the status of a stream that has no messages.
async fn only_status(
    response: Result<Response<Streaming<StreamingOutputCallResponse>>, Status>,
) -> Status {
    match response {
        Ok(response) => within(response.into_inner().message()).await.unwrap_err(),
        Err(status) => status,
    }
}

/// Adds the metadata of the case `custom_metadata`.
fn with_metadata<T>(mut request: Request<T>) -> Request<T> {
    let metadata = request.metadata_mut();
    let initial = "test_initial_metadata_value".parse().unwrap();
    metadata.insert(INITIAL, initial);
    let trailing = BinaryMetadataValue::from_bytes(&[0xab; 3]);
    metadata.insert_bin(TRAILING, trailing);
    request
}

#[track_caller]
fn assert_initial(metadata: &MetadataMap) {
    let initial = metadata.get(INITIAL).unwrap();
    assert_eq!(initial, "test_initial_metadata_value");
}

#[track_caller]
fn assert_trailing(metadata: &MetadataMap) {
    let trailing = metadata.get_bin(TRAILING).unwrap();
    assert_eq!(trailing.to_bytes().unwrap(), &[0xab; 3][..]);
}

/// Asserts that a call over the same connection succeeds.
async fn assert_connected(client: &mut Client) {
    let request = SimpleRequest {
        response_size: 7,
        ..SimpleRequest::default()
    };
    let response = within(client.unary_call(request)).await.unwrap();
    assert_eq!(response.into_inner().payload, payload(7));
}

/// Checks code, message and metadata of a status in each way of failing.
async fn assert_statuses(codes: impl IntoIterator<Item = i32> + Clone, message: &str) {
    for kind in KINDS {
        let mut tested = Tested::start(kind).await;
        let mut client = client(tested.address()).await;
        for way in WAYS {
            for code in codes.clone() {
                for status in failing(&mut client, way, code, message).await {
                    assert_eq!(status.code(), Code::from_i32(code), "{way:?}: {status:?}");
                    assert_eq!(status.message(), message, "{way:?}: {status:?}");
                    assert_initial(status.metadata());
                    assert_trailing(status.metadata());
                }
                let reports = tested.reports.take();
                assert_eq!(reports.len(), 2, "{way:?} {kind:?}: {reports:?}");
                for report in reports {
                    assert_eq!(report.outcome, Outcome::Grpc(GrpcCode::from_i32(code)));
                }
            }
        }
        assert_connected(&mut client).await;
        assert_eq!(tested.server.panics(), 0);
    }
}

#[tokio::test]
async fn status_code_and_message() {
    assert_statuses([2], "test status message").await;
}

#[tokio::test]
async fn every_status_code() {
    assert_statuses(CODES, "test status message").await;
}

#[tokio::test]
async fn special_status_message() {
    let message = "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n";
    assert_statuses([2], message).await;
}

/// Calls a method that the service does not have.
async fn unimplemented(path: &'static str) {
    for kind in KINDS {
        let tested = Tested::start(kind).await;
        let channel = channel(tested.address()).await;
        let mut client = Grpc::new(channel.clone());
        within(client.ready()).await.unwrap();
        let path = PathAndQuery::from_static(path);
        let codec = ProstCodec::<Empty, Empty>::default();
        let status = within(client.unary(Request::new(Empty {}), path, codec)).await;
        let status = status.unwrap_err();
        assert_eq!(status.code(), Code::Unimplemented, "{kind:?}: {status:?}");
        assert_connected(&mut Client::new(channel)).await;
    }
}

#[tokio::test]
async fn unimplemented_method() {
    unimplemented("/grpc.testing.TestService/UnimplementedCall").await;
}

#[tokio::test]
async fn unimplemented_service() {
    unimplemented("/grpc.testing.UnimplementedService/UnimplementedCall").await;
}

/// Asserts that the service drops a call that its client has given up, and that it is no failure.
async fn assert_given_up(tested: &mut Tested, client: &mut Client) {
    assert_eq!(within(tested.events.recv()).await, Some(Event::Dropped));
    assert_connected(client).await;
    tested.reports.assert_none();
    assert_eq!(tested.server.panics(), 0);
}

/// tonic's client has CANCELLED for its own timeout, in place of the case's DEADLINE_EXCEEDED. The
/// timeout covers only the time up to the head, so that the call is one without a head.
#[tokio::test]
async fn timeout_on_sleeping_server() {
    for kind in KINDS {
        let mut tested = Tested::start(kind).await;
        let mut client = client(tested.address()).await;
        // The case's 1 ms may end before the service has the call.
        let mut timeout = Duration::from_millis(1);
        loop {
            let message = StreamingInputCallRequest {
                payload: payload(27_182),
            };
            // The client's stream stays open, and the service waits for the next message.
            let mut request = Request::new(stream::iter([message]).chain(stream::pending()));
            request.set_timeout(timeout);
            let status = within(client.streaming_input_call(request)).await;
            let status = status.unwrap_err();
            assert_eq!(status.code(), Code::Cancelled, "{status:?}");
            if tested.events.try_recv() == Ok(Event::Begun) {
                break;
            }
            timeout *= 2;
        }
        assert_given_up(&mut tested, &mut client).await;
    }
}

#[tokio::test]
async fn custom_metadata() {
    for kind in KINDS {
        let mut tested = Tested::start(kind).await;
        let mut client = client(tested.address()).await;
        let request = SimpleRequest {
            response_size: LARGE_RESPONSE,
            payload: payload(LARGE_REQUEST),
            response_status: None,
        };
        let response = within(client.unary_call(with_metadata(Request::new(request)))).await;
        let (metadata, message, _) = response.unwrap().into_parts();
        assert_eq!(message.payload, payload(LARGE_RESPONSE));
        assert_initial(&metadata);
        // A unary call's response has the metadata of both.
        assert_trailing(&metadata);

        let request = StreamingOutputCallRequest {
            response_parameters: vec![ResponseParameters {
                size: LARGE_RESPONSE,
            }],
            payload: payload(LARGE_REQUEST),
            response_status: None,
        };
        let request = with_metadata(Request::new(stream::iter([request])));
        let response = within(client.full_duplex_call(request)).await.unwrap();
        assert_initial(response.metadata());
        let mut messages = response.into_inner();
        let message = within(messages.message()).await.unwrap().unwrap();
        assert_eq!(message.payload, payload(LARGE_RESPONSE));
        assert_trailing(&within(messages.trailers()).await.unwrap().unwrap());
        tested.reports.assert_none();
    }
}

#[tokio::test]
async fn empty_stream() {
    for kind in KINDS {
        let mut tested = Tested::start(kind).await;
        let mut client = client(tested.address()).await;
        let response = within(client.full_duplex_call(stream::empty())).await;
        let mut messages = response.unwrap().into_inner();
        assert_eq!(within(messages.message()).await.unwrap(), None);
        tested.reports.assert_none();
        assert_connected(&mut client).await;
    }
}

/// tonic's client cancels a call whose future is dropped.
#[tokio::test]
async fn cancel_after_begin() {
    for kind in KINDS {
        let mut tested = Tested::start(kind).await;
        let mut client = client(tested.address()).await;
        let mut calling = client.clone();
        let requests = stream::pending::<StreamingInputCallRequest>();
        let call = tokio::spawn(async move { calling.streaming_input_call(requests).await });
        assert_eq!(within(tested.events.recv()).await, Some(Event::Begun));
        call.abort();
        assert!(within(call).await.unwrap_err().is_cancelled());
        assert_given_up(&mut tested, &mut client).await;
    }
}

/// tonic's client cancels a call only if its own stream has ended. So the service has more
/// responses to send than the client's window takes.
#[tokio::test]
async fn cancel_after_first_response() {
    for kind in KINDS {
        let mut tested = Tested::start(kind).await;
        let mut client = client(tested.address()).await;
        let message = StreamingOutputCallRequest {
            response_parameters: vec![ResponseParameters { size: 31_415 }; 1_000],
            payload: payload(27_182),
            response_status: None,
        };
        let response = within(client.full_duplex_call(stream::iter([message]))).await;
        let mut messages = response.unwrap().into_inner();
        let message = within(messages.message()).await.unwrap().unwrap();
        assert_eq!(message.payload, payload(31_415));
        assert_eq!(within(tested.events.recv()).await, Some(Event::Begun));
        assert!(tested.events.try_recv().is_err(), "the service has ended");
        drop(messages);
        assert_given_up(&mut tested, &mut client).await;
    }
}

#[tokio::test]
#[ignore = "needs Python and grpcio: run tests/conformance/grpcio/run.sh"]
async fn grpcio() {
    let python = std::env::var_os("PYTHON").unwrap_or_else(|| "python3".into());
    for kind in KINDS {
        let tested = Tested::start(kind).await;
        let status = Command::new(&python)
            .arg("tests/conformance/grpcio/client.py")
            .arg(tested.address().to_string())
            .kill_on_drop(true)
            .status()
            .await
            .unwrap();
        assert!(status.success(), "{kind:?}: {status}");
        assert_eq!(tested.server.panics(), 0);
    }
}
