//! Stacks that the apps are built in. A client cannot distinguish them.

mod axum;
mod forms;
mod forms_axum;
mod forms_hyper;
mod handshake;
mod hyper;
mod layers;
mod server;
mod shared;
mod websocket;

use std::{convert::Infallible, str::FromStr};

pub use layers::{with_handlers, without_handlers};
use tokio::net::TcpListener;
use tower_exception::{ExceptionLayer, config::Configured};

#[derive(Clone, Copy, Debug)]
pub enum Stack {
    Axum,
    Hyper,
}

impl Stack {
    /// Serves the app of every way to fail under `layer`, forever.
    pub async fn serve(
        self,
        listener: TcpListener,
        layer: ExceptionLayer<Configured>,
    ) -> Infallible {
        match self {
            Self::Axum => server::serve(listener, self::axum::app(layer)).await,
            Self::Hyper => server::serve(listener, self::hyper::app(layer)).await,
        }
    }

    /// Serves the app of requests that may be invalid and of forms, forever.
    pub async fn serve_forms(self, listener: TcpListener) -> Infallible {
        match self {
            Self::Axum => server::serve(listener, forms_axum::app()).await,
            Self::Hyper => server::serve(listener, forms_hyper::app()).await,
        }
    }
}

impl FromStr for Stack {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "axum" => Ok(Self::Axum),
            "hyper" => Ok(Self::Hyper),
            _ => Err(format!("`{name}` is not a stack; expected axum or hyper")),
        }
    }
}
