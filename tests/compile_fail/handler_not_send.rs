//! An async handler whose future cannot be sent to another thread.

use std::rc::Rc;

use tower_exception::{Caught, ExceptionLayer, HttpException};

async fn gone(_: Caught<std::io::Error>) -> HttpException {
    let detail = Rc::new("sold out");
    std::future::ready(()).await;
    HttpException::gone(*detail)
}

fn main() {
    ExceptionLayer::new().on(gone);
}
