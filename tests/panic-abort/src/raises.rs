//! Must not compile under `panic = "abort"`: there is nothing that `raise` could do.

fn main() {
    tower_exception::HttpException::not_found("Item not found").raise()
}
