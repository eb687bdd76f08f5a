//! A call of `raise`, which must not compile under `panic = "abort"`, because it could not unwind.

fn main() {
    tower_exception::HttpException::not_found("Item not found").raise()
}
