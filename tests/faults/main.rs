//! Faults that users of such layers report: one file for each section, one or more tests for each
//! row, with the row's id in a comment.

#[path = "../support/mod.rs"]
mod support;

mod a_privacy_grpc;
mod a_privacy_reports;
mod a_replaced;
mod a_scopes;
mod a_unwinding;
mod b_websocket_clients;
mod b_websocket_closing;
mod b_websocket_docs;
mod b_websocket_examples;
mod b_websocket_frames;
mod b_websocket_handshake;
mod b_websocket_memory;
mod b_websocket_spans;
mod c_bodies_adopted;
mod c_bodies_docs;
mod c_bodies_grpc;
mod c_bodies_replaced;
mod d_reports;
mod d_reports_client_faults;
mod d_reports_grpc;
mod d_reports_texts;
mod documented;
mod e_types_aborts;
mod e_types_docs;
mod e_types_grpc;
mod e_types_headers;
mod e_types_layers;
mod e_types_panics;
mod e_types_request_bodies;
mod e_types_tasks;
mod f_stacks_optional;
mod grpc;
