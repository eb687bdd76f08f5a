//! Random texts that could leave their place in a page.

use proptest::prelude::*;

/// Texts that could leave their place, and any other characters: fewer than `parts` of them.
pub fn hostile_text(parts: usize) -> impl Strategy<Value = String> {
    let snippets = prop::sample::select(vec![
        "<",
        ">",
        "&",
        "\"",
        "'",
        "`",
        "```",
        "</p>",
        "</h1>",
        "</textarea>",
        "</script>",
        "</style>",
        "</title>",
        "<script>alert(1)</script>",
        "<!--",
        "-->",
        "]]>",
        "&lt;",
        "&#0;",
        "\r\n",
        "\r",
        "\n",
        "\0",
        "<img src=x onerror=y>",
        "</main>",
        " ",
        "\u{feff}",
        "\u{202e}",
        "&amp",
        "\u{2028}",
        "é",
        "{",
        "}",
    ]);
    let part = prop_oneof![
        snippets.prop_map(str::to_owned),
        any::<char>().prop_map(String::from),
    ];
    prop::collection::vec(part, 0..parts).prop_map(|parts| parts.concat())
}
