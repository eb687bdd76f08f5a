//! What the compiler says of a handler of the wrong shape is part of the interface.
//!
//! The messages differ with the features, and from one compiler to the next: those kept here are of 1.95 with all
//! features on, and the test runs with these features only. To write them anew: `TRYBUILD=overwrite`.

use std::{fs, path::Path};

#[test]
fn handlers_of_the_wrong_shape() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/compile_fail/*.rs");
}

/// However the rest of it changes: it starts with what this crate has to say.
#[test]
fn the_messages_start_with_words_of_this_crate() {
    let folder = Path::new("tests/compile_fail");
    let ours = "is not a handler of exceptions";
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
