//! The WebSockets of the service.

use axum::{
    extract::{
        FromRequestParts,
        ws::{Message, WebSocket, WebSocketUpgrade},
    },
    response::IntoResponse,
};
use http::Request;
use hyper::body::Incoming;
use tower_exception::{CloseCode, WebSocketException, WebSocketHandle};

use crate::{
    app::{AppResult, Unknown, exception, panic_of, wait},
    case::{Case, Kind},
};

/// Returns the close code of a request.
pub fn close_code(case: Case) -> u16 {
    3000 + u16::try_from(case.id % 1000).unwrap()
}

fn close(case: Case) -> WebSocketException {
    let code = CloseCode::from_u16(close_code(case)).unwrap();
    WebSocketException::new(code).with_reason(format!("reason of {}", case.mark()))
}

/// Responds to a handshake.
pub async fn respond(case: Case, request: Request<Incoming>) -> AppResult {
    wait(case).await;
    match case.kind {
        Kind::BeforeReturned => return Err(close(case).into()),
        Kind::BeforeAttached => return Ok(close(case).into_response()),
        Kind::BeforeRaised => close(case).raise(),
        Kind::BeforeRaisedAsync => close(case).raise_async().await,
        Kind::BeforeHttp => return Err(exception(case).into()),
        Kind::BeforePanicked => panic_of(case),
        _ => {}
    }
    let handle = WebSocketHandle::of(&request).ok_or("no handle")?;
    let (mut head, _) = request.into_parts();
    let upgrade = match WebSocketUpgrade::from_request_parts(&mut head, &()).await {
        Ok(upgrade) => upgrade,
        Err(rejection) => return Ok(rejection.into_response()),
    };
    Ok(match case.kind {
        Kind::BareDropped | Kind::BareRaised | Kind::BareRaisedAsync | Kind::BarePanicked => {
            upgrade.on_upgrade(move |socket| bare(case, socket))
        }
        _ => upgrade.on_upgrade(handle.catch(move |socket| caught(case, socket))),
    })
}

/// Echoes a message, and returns whether the client is still there.
async fn echo(case: Case, socket: &mut WebSocket) -> bool {
    let Some(Ok(Message::Text(text))) = socket.recv().await else {
        return false;
    };
    let is_sent = socket.send(Message::Text(text)).await.is_ok();
    wait(case).await;
    is_sent
}

async fn caught(case: Case, mut socket: WebSocket) -> tower_exception::Result<()> {
    if !echo(case, &mut socket).await {
        return Ok(());
    }
    match case.kind {
        Kind::CaughtReturned => Err(close(case).into()),
        Kind::CaughtRaised => close(case).raise(),
        Kind::CaughtRaisedAsync => close(case).raise_async().await,
        Kind::CaughtHttp => Err(exception(case).into()),
        Kind::CaughtError => Err(Unknown(case).into()),
        Kind::CaughtPanicked => panic_of(case),
        // The read after the client's close frame sends the reply to it.
        _ => {
            while let Some(Ok(_)) = socket.recv().await {}
            Ok(())
        }
    }
}

async fn bare(case: Case, mut socket: WebSocket) {
    if !echo(case, &mut socket).await {
        return;
    }
    match case.kind {
        Kind::BareRaised => close(case).raise(),
        Kind::BareRaisedAsync => close(case).raise_async().await,
        Kind::BarePanicked => panic_of(case),
        _ => {}
    }
}
