//! Compiler messages for handlers of the wrong shape, which are part of the interface.
//!
//! The messages depend on the features and on the compiler. The recorded ones are those of Rust
//! 1.95 with all features, and the test runs with all features only. `TRYBUILD=overwrite` records
//! them anew.

use std::{fs, path::Path};

#[test]
fn handlers_of_the_wrong_shape_do_not_compile() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/compile_fail/*.rs");
}

/// The rest of a message may change with the compiler. Its first line is written by this crate.
#[test]
fn the_messages_start_with_the_crates_own_text() {
    let folder = Path::new("tests/compile_fail");
    let ours = "is not a handler of failures";
    let mut messages = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path
            .extension()
            .is_some_and(|extension| extension == "stderr")
        {
            let message = fs::read_to_string(&path).unwrap();
            let first = message.lines().next().unwrap();
            assert!(first.ends_with(ours), "{first}");
            messages += 1;
        }
    }
    assert_eq!(messages, 4);
}
