//! Unwindings that abort the process, as the raising guide describes them: each in a child process.

use std::{
    env,
    os::unix::process::ExitStatusExt as _,
    panic::catch_unwind,
    process::{Command, exit},
};

use super::e_types_docs::{RaisesInDrop, raise_in, sold_out};

/// Name of the environment variable that has a test act as the child process.
const CHILD: &str = "TOWER_EXCEPTION_CHILD";

/// Runs `code` in a child process, by running the test `name` again there. Returns the signal that
/// ended the child, or `None` if the child ended by itself.
fn in_child(name: &str, code: impl FnOnce()) -> Option<i32> {
    if env::var_os(CHILD).is_some_and(|child| *child == *name) {
        code();
        exit(0);
    }
    let name_of_test = format!("{}::{name}", module_path!().split_once("::").unwrap().1);
    let output = Command::new(env::current_exe().unwrap())
        .args(["--exact", &name_of_test, "--nocapture"])
        .env(CHILD, name)
        .output()
        .unwrap();
    let signal = output.status.signal();
    assert!(signal.is_some() || output.status.success(), "{output:?}");
    signal
}

/// Signal of `abort`.
const SIGABRT: i32 = 6;

// E20
#[test]
fn a_raise_in_a_destructor_during_a_raise_aborts_the_process() {
    let name = "a_raise_in_a_destructor_during_a_raise_aborts_the_process";
    let signal = in_child(name, || {
        raise_in(|| {
            let _raises = RaisesInDrop;
            sold_out().raise()
        });
    });
    assert_eq!(signal, Some(SIGABRT));
}

// E20
#[test]
fn a_raise_in_a_destructor_during_a_panic_aborts_the_process() {
    let name = "a_raise_in_a_destructor_during_a_panic_aborts_the_process";
    let signal = in_child(name, || {
        let _ = catch_unwind(|| {
            let _raises = RaisesInDrop;
            panic!("the password is hunter2");
        });
    });
    assert_eq!(signal, Some(SIGABRT));
}

// E20
#[test]
fn a_raise_through_a_function_of_c_aborts_the_process() {
    extern "C" fn callback() {
        sold_out().raise()
    }
    let name = "a_raise_through_a_function_of_c_aborts_the_process";
    let signal = in_child(name, || raise_in(|| callback()));
    assert_eq!(signal, Some(SIGABRT));
}
