//! A shop that fails in every way, with the page for development.
//!
//! ```sh
//! cargo run --example debug_page --features axum,debug-page,websocket
//! ```

mod stock;

use std::{env, net::SocketAddr};

use axum::{
    Router,
    extract::{Path, ws::WebSocketUpgrade},
    response::{Html, Response},
    routing::{any, get, post},
};
use tokio::net::TcpListener;
use tower_exception::{
    ExceptionLayer, HttpException, Result, WebSockets, debug_page::DebugPage, panics, prelude::*,
};

use stock::Cart;

async fn index() -> Html<&'static str> {
    Html(include_str!("index.html"))
}

/// Panics for an empty cart: the page has the backtrace.
async fn checkout(Path(cart): Path<u32>) -> String {
    let cart = Cart::load(cart);
    format!("{} € for each item", cart.average_price())
}

/// Fails for a reason ten errors deep: the page has the chain.
async fn order(Path(id): Path<u32>) -> Result<String> {
    let order = stock::load_order(id)?;
    Ok(format!("order {order}"))
}

/// Raises an exception: the page has the line.
async fn item(Path(name): Path<String>) -> Result<String> {
    ensure!(name == "plumbus", not_found, "there is no {name}");
    Ok(name)
}

/// Fails with a detail of 200 KB.
async fn report() -> HttpException {
    let line = "The quick brown fox jumps over the lazy dog. <b>Not bold.</b>\n";
    HttpException::unprocessable_entity(line.repeat(3400))
}

/// Panics after the handshake: no tab of a browser shows it, except that of the last failures.
async fn prices(upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(async |mut socket| {
        let message = socket.recv().await;
        let text =
            message.and_then(|message| message.ok()?.into_text().ok().map(|it| it.to_string()));
        let price: u32 = text.unwrap_or_default().parse().expect("a price");
        println!("{price}");
    })
}

pub fn app(page: &DebugPage) -> Router {
    let admin = Router::new().route("/users", get(async || "nobody"));
    Router::new()
        .route("/", get(index))
        .route("/checkout/{cart}", get(checkout))
        .route("/orders/{id}", get(order))
        .route("/items/{name}", get(item))
        .route("/report", get(report))
        .route("/prices", any(prices))
        .route(
            "/shop.Stock/Count",
            post(async || -> Result<()> { Ok(stock::count()?) }),
        )
        .nest("/admin", admin)
        .layer(
            ExceptionLayer::new()
                .adopt_error_responses()
                .with_websockets(WebSockets::new())
                .with_debug_page(page.clone()),
        )
        .layer(page.history_layer("/failures"))
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    panics::record().backtraces(true);
    let address = env::args()
        .nth(1)
        .unwrap_or_else(|| "127.0.0.1:3000".to_owned());
    let listener = TcpListener::bind(address).await?;
    println!("http://{}/", listener.local_addr()?);
    let app = app(&DebugPage::new());
    // The page is for peers on this machine, of which it hears here.
    axum::serve(
        listener,
        app.into_make_service_with_connect_info::<SocketAddr>(),
    )
    .await
}
