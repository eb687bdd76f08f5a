//! An observer that sends each failure of the server to Sentry.
//!
//! ```text
//! SENTRY_DSN=https://... cargo run --example sentry --features axum,tracing
//! curl -X POST http://127.0.0.1:3000/orders/7
//! ```
//!
//! A server of your own turns on one of sentry's features for a transport. Here there is none.

mod shop;

use axum::{Router, extract::MatchedPath};
use sentry::protocol::{Frame, Request, Stacktrace};
use tower_exception::{Caught, Outcome, telemetry};
use tracing::Level;

fn send_to_sentry(caught: &Caught, outcome: Outcome) {
    if telemetry::default_level(caught, outcome) != Level::ERROR {
        return;
    }
    let request = caught.request();
    let mut event = sentry::event_from_error(caught.outermost());
    let route = request.get::<MatchedPath>();
    event.transaction = route.map(|route| route.as_str().to_owned());
    let tags = [
        ("mechanism", caught.mechanism().as_str()),
        ("phase", caught.phase().as_str()),
    ];
    event
        .tags
        .extend(tags.map(|(name, value)| (name.to_owned(), value.to_owned())));
    event.request = Some(Request {
        method: Some(request.method().to_string()),
        ..Default::default()
    });
    // The last exception is the outermost one.
    if let (Some(exception), Some(location)) = (event.exception.last_mut(), caught.location()) {
        let frame = Frame {
            filename: Some(location.file().to_owned()),
            lineno: Some(location.line().into()),
            ..Default::default()
        };
        exception.stacktrace = Some(Stacktrace {
            frames: vec![frame],
            ..Default::default()
        });
    }
    sentry::capture_event(event);
}

/// Returns the shop, whose failures Sentry receives.
pub fn app() -> Router {
    shop::routes().layer(shop::layer().observe(send_to_sentry))
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    // Reads the environment variable `SENTRY_DSN`.
    let _sentry = sentry::init(());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    axum::serve(listener, app()).await
}
