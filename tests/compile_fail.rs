//! Compiler messages for likely mistakes, which are part of the interface.
//!
//! The messages depend on the features and on the compiler. The recorded ones are those of Rust
//! 1.95 with all features, and the test runs with all features only. `TRYBUILD=overwrite` records
//! them anew. `tests/without-axum` has those of the one feature that is forgotten most.

#[path = "compile_fail/guide/mod.rs"]
mod guide;
#[path = "compile_fail/instead/mod.rs"]
mod instead;

use std::{collections::BTreeSet, fs, path::Path};

use guide::{Case, OwnMessage, Row};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn cases() -> Vec<Case> {
    Case::read(&root().join("tests/compile_fail"))
}

#[test]
fn likely_mistakes_do_not_compile() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/compile_fail/*.rs");
}

/// The rest of a message may change with the compiler. Its first line and its notes are written by
/// this crate.
#[test]
fn messages_about_own_traits_have_the_crates_own_text_and_notes() {
    let own = OwnMessage::read(root());
    for case in cases() {
        if let Some(own) = case.own(&own) {
            assert!(case.has_note_of(own), "{}: {own:?}", case.id);
        }
    }
}

#[test]
fn every_own_text_is_shown_by_a_mistake() {
    let cases = cases();
    let own = OwnMessage::read(root());
    for message in &own {
        let is_shown = |case: &Case| {
            case.own(&own)
                .is_some_and(|it| it.pattern == message.pattern)
        };
        assert!(cases.iter().any(is_shown), "{message:?}");
    }
    assert!(own.len() >= 7, "{own:?}");
}

#[test]
fn messages_about_other_traits_are_in_the_guide() {
    let own = OwnMessage::read(root());
    let rows = Row::read(root());
    for case in cases().iter().filter(|case| case.own(&own).is_none()) {
        let row = rows.iter().find(|row| row.id == case.id);
        let is_described = row.is_some_and(|row| case.is_described_by(row));
        assert!(is_described, "{}:\n{}", case.id, case.recorded);
    }
}

#[test]
fn every_row_of_the_guide_has_a_mistake_and_code_that_compiles_instead() {
    let without_axum = Case::read(&root().join("tests/without-axum/cases"));
    let cases: BTreeSet<_> = cases()
        .into_iter()
        .chain(without_axum)
        .map(|it| it.id)
        .collect();
    let instead = fs::read_to_string(root().join("tests/compile_fail/instead/mod.rs")).unwrap();
    let rows = Row::read(root());
    for row in &rows {
        assert!(cases.contains(&row.id), "{}", row.id);
        assert!(instead.contains(&format!("fn {}(", row.id)), "{}", row.id);
    }
    let ids: BTreeSet<_> = rows.iter().map(|row| &row.id).collect();
    assert_eq!(ids.len(), rows.len(), "one row for each case");
}
