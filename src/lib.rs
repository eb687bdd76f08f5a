//! Exceptions for tower.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod answer;
mod body;
mod catch;
mod chain;
mod exception;
mod future;
mod integrations;
mod layer;
mod log;
mod panic;
mod raise;
pub mod render;
mod request_head;
mod response;
mod scope;
mod service;
mod settings;
mod thrown;

#[cfg(feature = "tower")]
pub use integrations::ServiceBuilderExt;
pub use {
    body::ExceptionBody,
    exception::{
        CloseCode, Detail, Exception, HttpException, InvalidCloseCode, WebSocketException,
    },
    future::ResponseFuture,
    layer::ExceptionLayer,
    panic::Panic,
    request_head::RequestHead,
    service::ExceptionService,
    settings::{Custom, Plain},
};

type BoxError = Box<dyn std::error::Error + Send + Sync>;
