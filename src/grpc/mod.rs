#![doc = include_str!("../docs/grpc.md")]

mod base64;
mod code;
mod content_type;
#[cfg(feature = "tonic")]
mod details;
#[cfg(feature = "tonic")]
mod error_details;
mod fields;
mod message;
mod metadata;
mod status;
#[cfg(feature = "tonic")]
pub(crate) mod tonic;
mod trailers;
mod transcode;
#[cfg(feature = "tonic")]
pub(crate) mod visible;
mod web;

pub use code::GrpcCode;
#[cfg(feature = "tonic")]
pub(crate) use fields::{set_error_domain, set_request_info};
#[cfg(feature = "tower")]
pub(crate) use status::code_in;
pub(crate) use {
    content_type::{GrpcContentType, StatusEncoding},
    metadata::{GRPC_MESSAGE, GRPC_STATUS},
    status::{code_of, is_status, render_into, rerender_into, restrict},
    trailers::{FinalFrame, Trailers, failure_in_trailers, into_trailers, restrict_trailers},
    transcode::{as_exception, is_for_grpc, no_such_method},
    web::{MessageTracker, TrackedBody},
};
