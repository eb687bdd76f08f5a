//! lambda_http: a function in a process of its own, and Lambda's runtime API, to which it talks.

use std::{net::SocketAddr, process::Stdio, sync::Arc, time::Duration};

use axum::{
    Router,
    body::Bytes,
    extract::Path,
    http::StatusCode,
    routing::{get, post},
};
use serde_json::{Value, json};
use tokio::{
    net::TcpListener,
    process::{Child, Command},
    sync::{Mutex, mpsc},
    time::timeout,
};

/// Text of the error of a body.
const SECRET_IN_BASE64: &str = "dGhlIHBhc3N3b3JkIGlzIGh1bnRlcjI=";

const LIMIT: Duration = Duration::from_secs(30);

/// The function sends its results to `response` or to `error`.
#[derive(Debug)]
struct Sent {
    to: String,
    body: Bytes,
}

impl Sent {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Returns the status and the body of a buffered response.
    fn response(&self) -> (u64, String) {
        assert_eq!(self.to, "response", "{}", self.text());
        let value: Value = serde_json::from_slice(&self.body).unwrap();
        let body = value["body"].as_str().unwrap_or_default().to_owned();
        (value["statusCode"].as_u64().unwrap(), body)
    }

    /// Returns the status and the body of a streamed response.
    fn streamed(&self) -> (u64, String) {
        assert_eq!(self.to, "response", "{}", self.text());
        let text = self.text();
        let (prelude, body) = text.split_once("\0\0\0\0\0\0\0\0").expect("no prelude");
        let prelude: Value = serde_json::from_str(prelude).unwrap();
        (prelude["statusCode"].as_u64().unwrap(), body.to_owned())
    }
}

/// Lambda's side: the runtime API, and the process of the function.
struct Lambda {
    events: mpsc::UnboundedSender<Value>,
    sent: mpsc::UnboundedReceiver<Sent>,
    _function: Child,
}

impl Lambda {
    async fn start(arguments: &[&str]) -> Self {
        let (events, queue) = mpsc::unbounded_channel();
        let (results, sent) = mpsc::unbounded_channel();
        let address = serve(Arc::new(Mutex::new(queue)), results).await;
        let function = Command::new(env!("CARGO_BIN_EXE_lambda"))
            .args(arguments)
            .env("AWS_LAMBDA_RUNTIME_API", address.to_string())
            .env("AWS_LAMBDA_FUNCTION_NAME", "shop")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "1")
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        Self {
            events,
            sent,
            _function: function,
        }
    }

    /// Sends an event of API Gateway, and returns the result of the function.
    async fn get(&mut self, path: &str) -> Sent {
        let http = json!({
            "method": "GET", "path": path, "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1",
        });
        let event = json!({
            "version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": "",
            "headers": { "host": "test" }, "isBase64Encoded": false,
            "requestContext": { "http": http, "stage": "$default", "timeEpoch": 0 },
        });
        self.events.send(event).unwrap();
        let sent = timeout(LIMIT, self.sent.recv()).await;
        sent.expect("no result within 30 seconds").unwrap()
    }
}

type Queue = Arc<Mutex<mpsc::UnboundedReceiver<Value>>>;

async fn serve(queue: Queue, results: mpsc::UnboundedSender<Sent>) -> SocketAddr {
    let next = async move || {
        let event = queue.lock().await.recv().await.unwrap_or_default();
        let headers = [
            ("lambda-runtime-aws-request-id", "1"),
            ("lambda-runtime-deadline-ms", "9999999999999"),
            ("lambda-runtime-invoked-function-arn", "arn:aws:lambda:shop"),
        ];
        (headers, event.to_string())
    };
    let result = async move |Path((_, to)): Path<(String, String)>, body: Bytes| {
        let _ = results.send(Sent { to, body });
        (StatusCode::ACCEPTED, "{}")
    };
    let api = Router::new()
        .route("/invocation/next", get(next))
        .route("/invocation/{id}/{to}", post(result));
    let app = Router::new().nest("/2018-06-01/runtime", api);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async { axum::serve(listener, app).await });
    address
}

const FAILING: [&str; 3] = ["/returns", "/raises", "/raises_async"];

const NOT_FOUND: &str = r#"{"detail":"Item not found"}"#;

#[tokio::test]
async fn a_function_of_lambda_below_the_layer_responds() {
    let mut plain = Lambda::start(&["plain"]).await;
    assert_eq!(
        plain.get("/item").await.response(),
        (200, "plumbus".to_owned())
    );
    for path in FAILING {
        assert_eq!(
            plain.get(path).await.response(),
            (404, NOT_FOUND.to_owned()),
            "{path}"
        );
    }
    let text = r#"{"detail":"Internal Server Error"}"#;
    assert_eq!(
        plain.get("/panics").await.response(),
        (500, text.to_owned())
    );

    let mut configured = Lambda::start(&["configured"]).await;
    assert_eq!(
        configured.get("/item").await.response(),
        (200, "plumbus".to_owned())
    );
    for path in FAILING {
        let text = format!(r#"{{"detail":"{path}"}}"#);
        assert_eq!(configured.get(path).await.response(), (410, text), "{path}");
    }
    let text = r#"{"detail":"we are on it"}"#;
    assert_eq!(
        configured.get("/panics").await.response(),
        (503, text.to_owned())
    );
}

#[tokio::test]
async fn a_function_of_lambda_that_streams_responds() {
    let mut plain = Lambda::start(&["plain", "streaming"]).await;
    assert_eq!(
        plain.get("/item").await.streamed(),
        (200, "plumbus".to_owned())
    );
    for path in FAILING {
        assert_eq!(
            plain.get(path).await.streamed(),
            (404, NOT_FOUND.to_owned()),
            "{path}"
        );
    }
    let text = r#"{"detail":"Internal Server Error"}"#;
    assert_eq!(
        plain.get("/panics").await.streamed(),
        (500, text.to_owned())
    );
}

#[tokio::test]
async fn nothing_changes_if_nothing_is_raised() {
    for mode in [&[][..], &["streaming"]] {
        let mut bare = Lambda::start(&[&["bare"], mode].concat()).await;
        let mut below = Lambda::start(&[&["plain"], mode].concat()).await;
        for path in ["/item", "/nowhere"] {
            assert_eq!(
                bare.get(path).await.body,
                below.get(path).await.body,
                "{path}"
            );
        }
    }
}

/// lambda_http panics if a body fails. Lambda gets the `Debug` text of the body's error, and sends
/// the caller a response of its own.
#[tokio::test]
async fn a_body_that_fails_is_an_error_of_the_function_and_has_its_text() {
    for mode in ["bare", "plain", "configured"] {
        let sent = Lambda::start(&[mode]).await.get("/cut").await;
        assert_eq!(sent.to, "error", "{mode}");
        assert!(sent.text().contains("hunter2"), "{mode}: {}", sent.text());
    }
}

/// lambda_http ends a stream that fails with the `Display` text of the error, in base64.
#[tokio::test]
async fn a_stream_that_fails_ends_with_the_text_of_the_error() {
    for mode in ["bare", "plain", "configured"] {
        let sent = Lambda::start(&[mode, "streaming"]).await.get("/cut").await;
        let (status, body) = sent.streamed();
        assert_eq!(status, 200);
        assert!(
            body.starts_with("plumLambda-Runtime-Function-Error-Type"),
            "{mode}: {body}"
        );
        assert!(body.contains(SECRET_IN_BASE64), "{mode}: {body}");
    }
}

#[tokio::test]
async fn an_error_that_is_mapped_outside_of_the_layer_tells_nothing() {
    let sent = Lambda::start(&["silent"]).await.get("/cut").await;
    assert_eq!(sent.to, "error");
    assert!(sent.text().contains("the body failed"), "{}", sent.text());
    assert!(!sent.text().contains("hunter2"), "{}", sent.text());

    let sent = Lambda::start(&["silent", "streaming"])
        .await
        .get("/cut")
        .await;
    let (_, body) = sent.streamed();
    assert!(
        body.starts_with("plumLambda-Runtime-Function-Error-Type"),
        "{body}"
    );
    assert!(!body.contains(SECRET_IN_BASE64), "{body}");
}
