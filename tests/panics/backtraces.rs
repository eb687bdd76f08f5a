//! Backtraces, if the environment or the setting asks for them.

use std::{env, process::Command};

use axum::{Router, routing::get};
use tower_exception::{Caught, ExceptionLayer, HttpException, Panic, panics};

use crate::support::{Server, panic_hook_runs};

/// Name of the variable that says what a child process has to do.
const CASE: &str = "CASE_OF_PANICS";

/// Runs `case` of the test `name` in a process of its own. Returns its standard error.
pub fn run(name: &str, case: &str, rust_backtrace: Option<&str>) -> String {
    let mut child = Command::new(env::current_exe().unwrap());
    child.args(["--exact", name, "--ignored", "--nocapture"]);
    child.env(CASE, case).env_remove("RUST_LIB_BACKTRACE");
    match rust_backtrace {
        Some(value) => child.env("RUST_BACKTRACE", value),
        None => child.env_remove("RUST_BACKTRACE"),
    };
    let output = child.output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{stdout}\n{stderr}");
    assert!(stdout.contains("1 passed"), "{stdout}\n{stderr}");
    stderr
}

/// Returns the case of this child process.
pub fn case() -> String {
    env::var(CASE).unwrap()
}

#[inline(never)]
fn function_that_panics() -> String {
    panic!("no reason")
}

#[tokio::test]
#[ignore = "runs in a process of its own"]
async fn child() {
    match &*case() {
        "on" => panics::record().backtraces(true),
        "off" => panics::record().backtraces(false),
        _ => panics::record(),
    };
    let layer = ExceptionLayer::new().on_panic(|panic: Caught<Panic>| {
        let backtrace = panic.error().backtrace().map(ToString::to_string);
        // `Debug` shows neither the payload nor the backtrace.
        let debug = format!("{:?}", panic.error());
        assert_eq!(debug, r#"Panic { message: Some("no reason"), .. }"#);
        println!("location: {}", panic.error().location().unwrap());
        eprintln!("backtrace: {backtrace:?}");
        HttpException::internal_server_error("handled")
    });
    let app = Router::new().route("/", get(async || function_that_panics()));
    Server::start(app.layer(layer)).await.get("/").await;
}

fn function_that_fails() -> anyhow::Result<String> {
    anyhow::bail!("no luck")
}

#[tokio::test]
#[ignore = "runs in a process of its own"]
async fn child_with_a_report() {
    let layer = ExceptionLayer::new()
        .on(|error: Caught<std::fmt::Error>| {
            eprintln!(
                "backtrace: {:?}",
                error.backtrace().map(ToString::to_string)
            );
            HttpException::internal_server_error("handled")
        })
        .on_any(|caught: Caught| {
            eprintln!(
                "backtrace: {:?}",
                caught.backtrace().map(ToString::to_string)
            );
            HttpException::internal_server_error("handled")
        });
    let fails = async || -> tower_exception::Result<String> {
        match &*case() {
            "returned" => Ok(function_that_fails()?),
            "source" => {
                let error = tower_exception::Error::from(function_that_fails().unwrap_err());
                Err(HttpException::bad_gateway("no").with_source(error.into_boxed()))?
            }
            _ => function_that_panics_with_an_error(),
        }
    };
    // The hook of the server does not call the previous one for a payload without a text.
    panic_hook_runs();
    panics::record();
    let app = Router::new().route("/", get(fails)).layer(layer);
    Server::start(app).await.get("/").await;
}

#[inline(never)]
fn function_that_panics_with_an_error() -> ! {
    std::panic::panic_any(std::fmt::Error)
}

#[test]
fn the_backtrace_of_a_report_or_of_an_error_that_panics_is_found() {
    for (case, function) in [
        ("returned", "function_that_fails"),
        ("source", "function_that_fails"),
        ("payload", "function_that_panics_with_an_error"),
    ] {
        for (rust_backtrace, is_recorded) in [("1", true), ("0", false)] {
            let stderr = run(
                "backtraces::child_with_a_report",
                case,
                Some(rust_backtrace),
            );
            let line = stderr.lines().find(|line| line.starts_with("backtrace: "));
            let has_function = line.unwrap().contains(function);
            assert_eq!(has_function, is_recorded, "{case}: {stderr}");
        }
    }
}

#[test]
fn a_backtrace_is_recorded_if_it_was_asked_for() {
    for (case, rust_backtrace, is_recorded) in [
        ("default", None, false),
        ("default", Some("0"), false),
        ("default", Some("1"), true),
        ("default", Some("full"), true),
        ("on", None, true),
        ("on", Some("0"), true),
        ("off", Some("1"), false),
    ] {
        let stderr = run("backtraces::child", case, rust_backtrace);
        let line = stderr.lines().find(|line| line.starts_with("backtrace: "));
        let has_function = line.unwrap().contains("function_that_panics");
        assert_eq!(
            has_function, is_recorded,
            "{case}, {rust_backtrace:?}: {stderr}"
        );
    }
}
