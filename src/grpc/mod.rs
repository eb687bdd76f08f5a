//! Exceptions as gRPC and gRPC-Web have them: a status, in the head of the response or behind its messages.

mod base64;
mod code;
#[cfg(feature = "tonic")]
pub(crate) mod details;
mod ending;
mod message;
mod protocol;
mod reply;
mod status;
mod web;

pub use code::GrpcCode;
#[cfg(feature = "tonic")]
pub(crate) use status::{Told, into_metadata};
pub(crate) use {
    ending::{Ending, Trailers},
    protocol::{Carrier, Form, Protocol},
    reply::{as_exception, is_for_grpc},
    status::{code_of, into_trailers, is_status, no_such_method, respond, respond_anew},
    web::{Sent, WebBody},
};
