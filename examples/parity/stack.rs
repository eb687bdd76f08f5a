//! The stacks that the apps are built in: a client cannot tell which it talks to.

mod axum;
mod hyper;
mod server;
mod shared;

use std::{convert::Infallible, str::FromStr};

use tokio::net::TcpListener;

#[derive(Clone, Copy, Debug)]
pub enum Stack {
    Axum,
    Hyper,
}

impl Stack {
    /// Serves the app that has no handlers of its own, for good.
    pub async fn serve_app(self, listener: TcpListener) -> Infallible {
        match self {
            Self::Axum => server::serve(listener, self::axum::app()).await,
            Self::Hyper => server::serve(listener, self::hyper::app()).await,
        }
    }
}

impl FromStr for Stack {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "axum" => Ok(Self::Axum),
            "hyper" => Ok(Self::Hyper),
            _ => Err(format!("`{name}` is no stack: axum or hyper")),
        }
    }
}
