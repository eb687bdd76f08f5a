//! Paths, imports and definitions in a stream of tokens.
//!
//! Tokens are scanned, and no syntax tree, so that the bodies of macros (`pin_project!`,
//! `macro_rules!`, `matches!`) are scanned by the rules that hold for all other code.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};

/// Everything that was found in a stream.
#[derive(Debug, Default)]
pub(crate) struct Scan {
    pub(crate) paths: Vec<Path>,
    pub(crate) imports: Vec<Import>,
    /// Names after `struct`, `fn` and so on, in the stream itself and not in its groups.
    pub(crate) definitions: Vec<String>,
}

/// A path as it is written, up to its generics; one name alone is a path too.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Path {
    pub(crate) segments: Vec<String>,
    pub(crate) line: usize,
}

/// One leaf of a `use` declaration.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Import {
    pub(crate) path: Path,
    /// Name that it brings into scope; `None` for a glob.
    pub(crate) name: Option<String>,
}

const DEFINING: [&str; 9] = [
    "const", "enum", "fn", "mod", "static", "struct", "trait", "type", "union",
];

/// Scans `tokens`, without the items that need `cfg(test)`.
pub(crate) fn scan(tokens: TokenStream) -> Scan {
    let mut scan = Scan::default();
    scan.stream(tokens, true);
    scan
}

impl Scan {
    fn stream(&mut self, tokens: TokenStream, outermost: bool) {
        let tokens: Vec<_> = tokens.into_iter().collect();
        let mut at = 0;
        while at < tokens.len() {
            at = self.token(&tokens, at, outermost);
        }
    }

    /// Scans the tokens from `at`, and returns the index of the first one after them.
    fn token(&mut self, tokens: &[TokenTree], at: usize, outermost: bool) -> usize {
        match &tokens[at] {
            TokenTree::Group(group) => {
                self.stream(group.stream(), false);
                at + 1
            }
            TokenTree::Punct(punct) if punct.as_char() == '#' => self.attribute(tokens, at),
            // A lifetime.
            TokenTree::Punct(punct) if punct.as_char() == '\'' => at + 2,
            // `$name` of a macro. A path that begins with `$crate` belongs to the code that uses
            // the macro, which reaches items by the root of the crate.
            TokenTree::Punct(punct) if punct.as_char() == '$' => match tokens.get(at + 1) {
                Some(TokenTree::Ident(ident)) if ident != "crate" => at + 2,
                Some(TokenTree::Ident(_)) => path(tokens, at + 1).1,
                _ => at + 1,
            },
            TokenTree::Ident(ident) if ident == "macro_rules" => match tokens.get(at + 2) {
                Some(TokenTree::Ident(name)) => {
                    if outermost {
                        self.definitions.push(name.to_string());
                    }
                    at + 3
                }
                _ => at + 1,
            },
            // The name of a method or a field, unless the dot belongs to a range.
            TokenTree::Punct(punct) if punct.as_char() == '.' => {
                match (is_punct(tokens, at + 1, '.'), tokens.get(at + 1)) {
                    (true, _) => at + 2,
                    (false, Some(TokenTree::Ident(_))) => at + 2,
                    _ => at + 1,
                }
            }
            // A path that begins outside of this crate, or that goes on after a type.
            TokenTree::Punct(_) if is_double_colon(tokens, at) => match tokens.get(at + 2) {
                Some(TokenTree::Ident(_)) => path(tokens, at + 2).1,
                _ => at + 2,
            },
            TokenTree::Ident(ident) if ident == "use" && !is_punct(tokens, at + 1, '<') => {
                let end = (at..tokens.len())
                    .find(|&end| is_punct(tokens, end, ';'))
                    .unwrap_or(tokens.len());
                self.import(&[], &tokens[at + 1..end]);
                end + 1
            }
            TokenTree::Ident(ident) if DEFINING.iter().any(|keyword| ident == keyword) => {
                match tokens.get(at + 1) {
                    Some(TokenTree::Ident(name)) if name != "fn" => {
                        if outermost {
                            self.definitions.push(name.to_string());
                        }
                        at + 2
                    }
                    _ => at + 1,
                }
            }
            TokenTree::Ident(_) => {
                let (path, end) = path(tokens, at);
                self.paths.push(path);
                end
            }
            _ => at + 1,
        }
    }

    /// Skips an attribute, and the item that it belongs to if that is there only for tests.
    fn attribute(&mut self, tokens: &[TokenTree], at: usize) -> usize {
        let at = at + 1 + usize::from(is_punct(tokens, at + 1, '!'));
        match tokens.get(at) {
            Some(TokenTree::Group(group)) if needs_test(group.stream()) => {
                skip_item(tokens, at + 1)
            }
            Some(TokenTree::Group(_)) => at + 1,
            _ => at,
        }
    }

    /// Adds the leaves of a `use` tree that stands below `prefix`.
    fn import(&mut self, prefix: &[String], tree: &[TokenTree]) {
        // A path that begins with `::` is another crate's; its first segment is empty here.
        let (prefix, at) = match is_double_colon(tree, 0) {
            true => (&[String::new()][..], 2),
            false => (prefix, 0),
        };
        match tree.get(at) {
            Some(TokenTree::Ident(_)) => {
                let (mut path, end) = path(tree, at);
                path.segments = [prefix, &path.segments].concat();
                if is_double_colon(tree, end) {
                    return self.import(&path.segments, &tree[end + 2..]);
                }
                if path.segments.len() > 1 && path.segments.ends_with(&["self".to_owned()]) {
                    path.segments.pop();
                }
                let name = match tree.last() {
                    Some(TokenTree::Ident(name)) if end < tree.len() => name.to_string(),
                    _ => path.segments.last().cloned().unwrap_or_default(),
                };
                self.imports.push(Import {
                    path,
                    name: Some(name),
                });
            }
            Some(token @ TokenTree::Punct(star)) if star.as_char() == '*' => {
                self.imports.push(Import {
                    path: Path {
                        segments: prefix.to_vec(),
                        line: token.span().start().line,
                    },
                    name: None,
                });
            }
            Some(TokenTree::Group(group)) => {
                let trees: Vec<_> = group.stream().into_iter().collect();
                for tree in trees.split(is_comma) {
                    self.import(prefix, tree);
                }
            }
            _ => {}
        }
    }
}

/// Reads the path that begins with the name at `at`, and returns it with the index after it.
fn path(tokens: &[TokenTree], at: usize) -> (Path, usize) {
    let mut path = Path {
        segments: vec![tokens[at].to_string()],
        line: tokens[at].span().start().line,
    };
    let mut end = at + 1;
    while let (true, Some(TokenTree::Ident(name))) =
        (is_double_colon(tokens, end), tokens.get(end + 2))
    {
        path.segments.push(name.to_string());
        end += 3;
    }
    (path, end)
}

/// Returns the index after the item, the field or the variant that begins at `at`.
fn skip_item(tokens: &[TokenTree], at: usize) -> usize {
    const ITEMS: [&str; 13] = [
        "async",
        "const",
        "enum",
        "extern",
        "fn",
        "impl",
        "macro_rules",
        "mod",
        "static",
        "struct",
        "trait",
        "type",
        "use",
    ];
    let is_item = |token: &TokenTree| ITEMS.iter().any(|keyword| token.to_string() == *keyword);
    let mut seen_item = false;
    for (index, token) in tokens.iter().enumerate().skip(at) {
        seen_item |= is_item(token);
        let ends = match token {
            TokenTree::Punct(punct) => {
                punct.as_char() == ';' || (punct.as_char() == ',' && !seen_item)
            }
            TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
            _ => false,
        };
        if ends {
            return index + 1;
        }
    }
    tokens.len()
}

fn is_punct(tokens: &[TokenTree], at: usize, char: char) -> bool {
    matches!(tokens.get(at), Some(TokenTree::Punct(punct)) if punct.as_char() == char)
}

fn is_comma(token: &TokenTree) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == ',')
}

fn is_double_colon(tokens: &[TokenTree], at: usize) -> bool {
    is_punct(tokens, at, ':') && is_punct(tokens, at + 1, ':')
}

/// Says whether an attribute, `cfg(test)` for one, is met only in tests and doctests.
pub(crate) fn needs_test(attribute: TokenStream) -> bool {
    let tokens: Vec<_> = attribute.into_iter().collect();
    match &tokens[..] {
        [TokenTree::Ident(cfg), TokenTree::Group(predicate)] if cfg == "cfg" => {
            predicate_needs_test(&predicate.stream().into_iter().collect::<Vec<_>>())
        }
        _ => false,
    }
}

fn predicate_needs_test(predicate: &[TokenTree]) -> bool {
    let all = |list: &Group| -> Vec<bool> {
        let tokens: Vec<_> = list.stream().into_iter().collect();
        tokens
            .split(is_comma)
            .filter(|predicate| !predicate.is_empty())
            .map(predicate_needs_test)
            .collect()
    };
    match predicate {
        [TokenTree::Ident(name)] => name == "test" || name == "doctest",
        [TokenTree::Ident(name), TokenTree::Group(list)] if name == "all" => {
            all(list).contains(&true)
        }
        [TokenTree::Ident(name), TokenTree::Group(list)] if name == "any" => {
            !all(list).contains(&false)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scanned(code: &str) -> Scan {
        scan(code.parse().unwrap())
    }

    fn paths(code: &str) -> Vec<String> {
        let join = |path: &Path| path.segments.join("::");
        let paths = scanned(code).paths;
        paths
            .iter()
            .filter(|path| path.segments.len() > 1)
            .map(join)
            .collect()
    }

    fn imports(code: &str) -> Vec<(String, Option<String>)> {
        let leaf = |import: Import| (import.path.segments.join("::"), import.name);
        scanned(code).imports.into_iter().map(leaf).collect()
    }

    #[test]
    fn paths_are_found_in_code_types_and_macros() {
        assert_eq!(
            paths("fn f(x: &crate::a::B<super::c::D>) { m!(self::e::F => $crate::g::H); }"),
            ["crate::a::B", "super::c::D", "self::e::F"]
        );
        assert_eq!(
            paths("<crate::a::B as Iterator>::Item::f(), ::other::g(), x.y, 0..crate::Z"),
            ["crate::a::B", "crate::Z"]
        );
    }

    #[test]
    fn items_for_tests_are_left_out() {
        assert_eq!(
            paths(
                "impl X { #[cfg(test)] fn f<A, B>() { a::b() } fn g() { c::d() } }
                 #[cfg(all(test, unix))] use e::f; #[cfg(any(test, unix))] fn h() { g::h() }
                 enum Y { #[cfg(test)] A(i::J), B(k::L) }
                 /// m::n
                 #[cfg(feature = \"test\")] fn i() { o::p() }"
            ),
            ["c::d", "g::h", "k::L", "o::p"]
        );
    }

    #[test]
    fn every_leaf_of_a_use_tree_is_an_import() {
        let name = |name: &str| Some(name.to_owned());
        assert_eq!(
            imports("use crate::{a::{self, B as C, d::*}, e}; use {super::f, ::g::H};"),
            [
                ("crate::a".to_owned(), name("a")),
                ("crate::a::B".to_owned(), name("C")),
                ("crate::a::d".to_owned(), None),
                ("crate::e".to_owned(), name("e")),
                ("super::f".to_owned(), name("f")),
                ("::g::H".to_owned(), name("H")),
            ]
        );
        assert_eq!(
            imports("fn f() { use a::B as _; }"),
            [("a::B".to_owned(), name("_"))]
        );
        assert_eq!(imports("fn f() -> impl Sized + use<'a, T> { x }"), []);
    }

    #[test]
    fn definitions_are_those_of_the_stream_itself() {
        let scan = scanned("pub struct A<'a> { x: fn(u8) } static B: u8 = { const C: u8 = 1; C };");
        assert_eq!(scan.definitions, ["A", "B"]);
    }

    #[test]
    fn lines_are_counted_from_one() {
        let scan = scanned("use\n    a::B;\n\nc::d");
        assert_eq!(scan.imports[0].path.line, 2);
        assert_eq!(scan.paths[0].line, 4);
    }
}
