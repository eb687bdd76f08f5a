//! A panic under a quiet hook: the process prints it and ends.

use std::{env, process::Command};

use tower_exception::{ExceptionLayer, panics};

use crate::serve;

/// Argument with which the process panics.
pub const ARGUMENT: &str = "panics";

/// Panics below a layer.
pub async fn panic() {
    panics::record().quiet();
    let response = serve(ExceptionLayer::new(), || async { panic!("no reason") });
    println!("responded: {:?}", response.await);
}

/// A process that panics ends, and has printed where.
pub fn end_the_process() {
    let mut child = Command::new(env::current_exe().unwrap());
    let output = child.arg(ARGUMENT).output().unwrap();
    let (stdout, stderr) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(!output.status.success() && stdout.is_empty(), "{stdout}");
    assert!(
        stderr.contains("panics.rs:15:") && stderr.contains("no reason"),
        "{stderr}"
    );
}
