//! Compiler messages without the feature `axum`.

#[path = "../../compile_fail/guide/mod.rs"]
mod guide;

use std::path::Path;

use guide::{Case, OwnMessage, Row};

#[test]
fn an_axum_app_without_the_feature_does_not_compile() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("cases/*.rs");
}

#[test]
fn each_message_has_a_note_or_is_in_the_guide() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let own = OwnMessage::read(&root);
    let rows = Row::read(&root);
    for case in Case::read(&root.join("tests/without-axum/cases")) {
        let helps = match case.own(&own) {
            Some(own) => case.has_note_of(own),
            None => rows
                .iter()
                .any(|row| row.id == case.id && case.is_described_by(row)),
        };
        assert!(helps, "{}:\n{}", case.id, case.recorded);
    }
}
