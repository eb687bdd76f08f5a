//! The README's examples, which the tests compile.

/// Asserts that the README's example of `framework` stands in `source`.
#[track_caller]
pub fn assert_has_example_of(framework: &str, source: &str) {
    let readme = include_str!("../../../../README.md");
    let (_, after) = readme
        .split_once("## Other frameworks")
        .expect("no section");
    let (_, after) = after
        .split_once(&format!("// {framework}\n"))
        .expect("no example");
    let (example, _) = after.split_once("```").expect("no end of the example");
    assert!(
        code(source).contains(&code(example)),
        "the README's example of {framework} is not compiled:\n{example}"
    );
}

/// Returns `text` without the white space and the trailing commas that rustfmt decides on.
fn code(text: &str) -> String {
    let code: String = text.split_whitespace().collect();
    code.replace(",)", ")")
}
