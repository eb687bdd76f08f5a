//! Backtraces, if the environment or the setting asks for them.

use std::{env, process::Command};

use axum::{Router, routing::get};
use tower_exception::{Caught, ExceptionLayer, HttpException, Panic, panics};

use crate::support::Server;

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
    let layer = ExceptionLayer::new().observe(|caught: &Caught, _| {
        let backtrace = caught.backtrace().map(ToString::to_string);
        eprintln!("backtrace: {backtrace:?}");
    });
    let fails = async || -> tower_exception::Result<String> { Ok(function_that_fails()?) };
    let app = Router::new().route("/", get(fails)).layer(layer);
    Server::start(app).await.get("/").await;
}

#[test]
fn the_backtrace_of_a_report_is_found() {
    for (rust_backtrace, is_recorded) in [("1", true), ("0", false)] {
        let stderr = run("backtraces::child_with_a_report", "", Some(rust_backtrace));
        let line = stderr.lines().find(|line| line.starts_with("backtrace: "));
        let has_function = line.unwrap().contains("function_that_fails");
        assert_eq!(has_function, is_recorded, "{stderr}");
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
