#![doc = include_str!("../docs/grpc.md")]

mod base64;
mod code;
mod content_type;
#[cfg(feature = "tonic")]
mod details;
mod fields;
mod message;
mod metadata;
mod status;
#[cfg(feature = "tonic")]
pub(crate) mod tonic;
mod trailers;
mod transcode;
mod web;

pub use code::GrpcCode;
pub(crate) use {
    content_type::{GrpcContentType, StatusEncoding},
    status::{code_of, is_status, render_into, rerender_into},
    trailers::{FinalFrame, Trailers, into_trailers},
    transcode::{as_exception, is_for_grpc, no_such_method},
    web::{MessageTracker, TrackedBody},
};
