//! Apps that compare this crate with FastAPI. `tests/parity/*.json` hold FastAPI's responses to
//! lists of requests, and `tests/parity.rs` compares them with those of these apps.
//!
//! ```text
//! cargo run --example parity --features axum,websocket -- hyper 8001 8002 8003
//! curl -i '127.0.0.1:8001/raise?via=raised' -d '{"status_code":404,"detail":"Item not found"}'
//! ```

use std::{env, net::Ipv4Addr, process::ExitCode};

use tokio::net::TcpListener;

#[path = "parity/stack.rs"]
mod stack;

use stack::{Stack, with_handlers, without_handlers};

const USAGE: &str = "\
usage: parity STACK APP_PORT CUSTOM_PORT FORMS_PORT
  STACK        axum or hyper
  APP_PORT     port on 127.0.0.1 of the app without handlers
  CUSTOM_PORT  port on 127.0.0.1 of the app with handlers
  FORMS_PORT   port on 127.0.0.1 of the app with requests that may be invalid, and with forms";

struct Arguments {
    stack: Stack,
    app_port: u16,
    custom_port: u16,
    forms_port: u16,
}

impl Arguments {
    fn parse(arguments: &[String]) -> Result<Self, String> {
        let [stack, app_port, custom_port, forms_port] = arguments else {
            return Err(format!("expected 4 arguments, found {}", arguments.len()));
        };
        Ok(Self {
            stack: stack.parse()?,
            app_port: port(app_port)?,
            custom_port: port(custom_port)?,
            forms_port: port(forms_port)?,
        })
    }
}

fn port(text: &str) -> Result<u16, String> {
    text.parse()
        .map_err(|error| format!("`{text}` is not a port: {error}"))
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<_> = env::args_os()
        .skip(1)
        .map(|argument| argument.to_string_lossy().into_owned())
        .collect();
    let arguments = match Arguments::parse(&arguments) {
        Ok(arguments) => arguments,
        Err(problem) => {
            eprintln!("parity: {problem}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match run(arguments).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("parity: {problem}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<(), String> {
    let Arguments {
        stack,
        app_port,
        custom_port,
        forms_port,
    } = arguments;
    let app = listen(app_port).await?;
    let custom = listen(custom_port).await?;
    let forms = listen(forms_port).await?;
    println!("HTTP/1.1, and HTTP/2 by prior knowledge:");
    println!("  app:    http://127.0.0.1:{app_port}");
    println!("  custom: http://127.0.0.1:{custom_port}");
    println!("  forms:  http://127.0.0.1:{forms_port}");
    tokio::select! {
        never = stack.serve(app, without_handlers()) => match never {},
        never = stack.serve(custom, with_handlers()) => match never {},
        never = stack.serve_forms(forms) => match never {},
    }
}

async fn listen(port: u16) -> Result<TcpListener, String> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port))
        .await
        .map_err(|error| format!("cannot listen on 127.0.0.1:{port}: {error}"))
}
