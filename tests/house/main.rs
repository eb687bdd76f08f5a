//! The house rules: the order of imports, the shape of files, the words of prose.

mod imports;
mod layout;
mod modules;
mod names;
mod paths;
mod prose;
mod resolve;
mod scan;
mod shape;
mod sources;
mod text;

use imports::Imports;
use layout::Layout;
use modules::Modules;
use sources::Sources;

/// Fails with all `faults`, one after the other.
fn assert_none(faults: &[String]) {
    let text = faults.join("\n");
    assert!(faults.is_empty(), "{} faults:\n{text}", faults.len());
}

fn modules() -> Modules {
    Modules::read(&Sources::of_project()).unwrap_or_else(|fault| panic!("{fault}"))
}

fn imports() -> Imports {
    Imports::read(&modules()).unwrap_or_else(|fault| panic!("{fault}"))
}

fn layout() -> Layout {
    Layout::read(&Sources::of_project()).unwrap_or_else(|fault| panic!("{fault}"))
}

#[test]
fn imports_run_in_no_circle() {
    assert_none(&imports().circles());
}

#[test]
fn imports_run_down_the_layout() {
    assert_none(&imports().upward(&layout()));
}

#[test]
fn imports_name_the_defining_module() {
    assert_none(&imports::through_root(&modules()));
}

#[test]
fn the_layout_lists_every_file() {
    assert_none(&layout().faults(&Sources::of_project()));
}

#[test]
fn files_introduce_themselves_and_are_short() {
    assert_none(&shape::faults(&Sources::of_project()));
}

#[test]
fn prose_follows_the_rules() {
    assert_none(&prose::faults(&Sources::of_project()));
}

#[test]
fn files_that_a_guide_names_exist() {
    assert_none(&paths::faults(&Sources::of_project()));
}

#[test]
fn old_names_are_gone() {
    assert_none(&names::faults(&Sources::of_project()));
}
