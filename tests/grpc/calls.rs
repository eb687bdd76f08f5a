//! Calls that fail, and the expected status.

use std::mem;

use futures_util::{Stream, StreamExt as _, stream};
use tonic::{Code, Request, Status, Streaming, metadata::MetadataMap};

use crate::{
    client::Client,
    details,
    faults::{self, Fault, MESSAGES, Way},
    generated::{Item, ItemId, Total},
    server::item,
    supplement::assert_supplemented,
    support::{SECRET, within},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Unary,
    ClientStreaming,
    ServerStreaming,
    Bidirectional,
}

/// Makes a call with this fault. Returns the received messages and the status after them.
pub async fn call(client: &mut Client, kind: Kind, fault: Fault) -> (Vec<Item>, Status) {
    let status = match kind {
        Kind::Unary => {
            let got = client.get(request_for(ItemId { id: 1 }, fault)).await;
            got.expect_err("no status")
        }
        Kind::ClientStreaming => {
            let got = client.count(request_for(ids(fault), fault)).await;
            got.expect_err("no status")
        }
        Kind::ServerStreaming => {
            let total = Total { items: MESSAGES };
            match client.list(request_for(total, fault)).await {
                Ok(stream) => return until_status(stream.into_inner()).await,
                Err(status) => status,
            }
        }
        Kind::Bidirectional => match client.find(request_for(ids(fault), fault)).await {
            Ok(stream) => return until_status(stream.into_inner()).await,
            Err(status) => status,
        },
    };
    (Vec::new(), status)
}

/// Returns a request for this fault.
pub fn request_for<T>(message: T, fault: Fault) -> Request<T> {
    let mut request = Request::new(message);
    let mut headers = mem::take(request.metadata_mut()).into_headers();
    fault.write(&mut headers);
    *request.metadata_mut() = MetadataMap::from_headers(headers);
    request
}

/// Returns the stream of ids that a client sends before the fault. The stream ends only if the
/// fault comes after the last message.
fn ids(fault: Fault) -> impl Stream<Item = ItemId> + Send + 'static {
    let messages = fault.position.messages();
    let open = messages < MESSAGES;
    let end = stream::pending().take(open.into());
    stream::iter((1..=messages).map(|id| ItemId { id })).chain(end)
}

async fn until_status(mut stream: Streaming<Item>) -> (Vec<Item>, Status) {
    let mut items = Vec::new();
    loop {
        match stream.message().await {
            Ok(Some(item)) => items.push(item),
            Ok(None) => panic!("the stream ended without an error after {items:?}"),
            Err(status) => return (items, status),
        }
    }
}

/// Asserts that the connection still works: the next call succeeds.
pub async fn assert_connected(client: &mut Client) {
    let reply = within(client.get(ItemId { id: 7 })).await.unwrap();
    assert_eq!(reply.into_inner(), item(7));
}

/// Asserts that this is the status of a fault of this kind.
pub fn assert_status(status: &Status, way: Way) {
    let (code, message, own) = match way {
        Way::Returned | Way::Raised | Way::RaisedAsync => {
            (Code::NotFound, "Item not found", Some("own"))
        }
        Way::Panicked | Way::Error => (Code::Internal, "Internal Server Error", None),
        Way::Structured => return details::assert_structured(status),
        Way::Supplemented => return assert_supplemented(status, ""),
        Way::Status => {
            assert_eq!(status.details(), faults::status().details());
            (Code::DataLoss, "sold out", Some("own"))
        }
    };
    let got = (status.code(), status.message());
    assert_eq!(got, (code, message), "{status:?}");
    let got = status.metadata().get("x-own");
    let got = got.map(|value| value.to_str().unwrap());
    assert_eq!(got, own, "{status:?}");
    assert!(!format!("{status:?}").contains(SECRET), "{status:?}");
}
