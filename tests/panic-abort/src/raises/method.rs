//! Calls of `raise`, which must not compile under `panic = "abort"`, because they could not unwind.

use tower_exception::{CloseCode, Exception, HttpException, Raise, WebSocketException};

fn exception() {
    HttpException::not_found("Item not found").raise()
}

fn websocket_exception() {
    WebSocketException::new(CloseCode::POLICY_VIOLATION).raise()
}

fn exception_of_either_kind() {
    Exception::from(HttpException::not_found("Item not found")).raise()
}

fn error() {
    std::io::Error::other("disk").raise()
}

fn any_error(error: tower_exception::Error) {
    error.raise()
}

fn generic<E: Raise>(error: E) {
    error.raise()
}

fn main() {
    exception();
    websocket_exception();
    exception_of_either_kind();
    error();
    any_error(std::io::Error::other("disk").into());
    generic(std::io::Error::other("disk"));
}
