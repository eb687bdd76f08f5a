//! Exceptions as gRPC and gRPC-Web have them: a status, in the head of the response or behind its messages.

mod code;
mod message;
mod protocol;
mod reply;
mod status;

pub use code::GrpcCode;
pub(crate) use {
    protocol::{Form, Protocol},
    reply::{as_exception, is_for_grpc},
    status::{is_status, no_such_method, respond, respond_anew},
};
