//! Check: imports run one way, down the layout, and in no circle.
//!
//! Left out: calls of methods, since they name no file.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::{
    layout::Layout,
    modules::{Binding, Id, Modules, Use},
    resolve::Target,
    scan::Path,
    sources::Sources,
};

/// Imports between files: the importing one, the one that defines the item, the item's name, and
/// the path that imports it.
#[derive(Debug, Default)]
pub(crate) struct Imports(BTreeMap<(String, String), BTreeMap<String, Path>>);

impl Imports {
    /// Collects the imports of all files.
    ///
    /// # Errors
    ///
    /// If a path of this crate leads nowhere: the check would be blind to it.
    pub(crate) fn read(modules: &Modules) -> Result<Self, String> {
        let mut imports = Self::default();
        for (id, module) in modules.all.iter().enumerate() {
            for import in module.names.values().flatten() {
                if let Binding::Use(import) = import {
                    imports.add_use(modules, id, import)?;
                }
            }
            for glob in &module.globs {
                let items = modules.glob(id, glob);
                if !glob.is_reexport {
                    let items = items.map_err(|name| unresolved(&module.file, &glob.path, &name));
                    imports.add(&module.file, &glob.path, items?);
                }
            }
            for path in &module.paths {
                imports.add_path(modules, id, path)?;
            }
        }
        Ok(imports)
    }

    fn add_use(&mut self, modules: &Modules, from: Id, import: &Use) -> Result<(), String> {
        let file = &modules.all[from].file;
        let targets = modules
            .resolve(from, &import.path.segments)
            .map_err(|name| unresolved(file, &import.path, &name))?;
        if !import.is_reexport {
            self.add(file, &import.path, targets);
        }
        Ok(())
    }

    /// Adds a path in code. One name alone was imported by its `use`, unless that is a re-export,
    /// which counts only here, because the file itself uses it.
    fn add_path(&mut self, modules: &Modules, from: Id, path: &Path) -> Result<(), String> {
        let module = &modules.all[from];
        let targets = match &path.segments[..] {
            [name] => {
                let bindings = module.names.get(name);
                let is_own = |binding: &Binding| !matches!(binding, Binding::Use(_));
                let is_reexported = |binding: &Binding| match binding {
                    Binding::Use(import) => import.is_reexport,
                    _ => false,
                };
                match bindings {
                    Some(bindings) if bindings.iter().any(is_own) => return Ok(()),
                    Some(bindings) if !bindings.iter().any(is_reexported) => return Ok(()),
                    None if !module.globs.iter().any(|glob| glob.is_reexport) => return Ok(()),
                    _ => modules.resolve(from, &path.segments).unwrap_or_default(),
                }
            }
            segments => modules
                .resolve(from, segments)
                .map_err(|name| unresolved(&module.file, path, &name))?,
        };
        self.add(&module.file, path, targets);
        Ok(())
    }

    fn add(&mut self, from: &str, path: &Path, targets: BTreeSet<Target>) {
        for target in targets {
            let Target::Item { file, name } = target else {
                continue;
            };
            if file != from {
                let items = self.0.entry((from.to_owned(), file)).or_default();
                items.entry(name).or_insert_with(|| path.clone());
            }
        }
    }

    /// Returns a line for every item that `from` imports from `to`.
    fn between(&self, from: &str, to: &str) -> impl Iterator<Item = String> {
        let items = self.0.get(&(from.to_owned(), to.to_owned()));
        items.into_iter().flatten().map(move |(name, path)| {
            let (line, path) = (path.line, path.segments.join("::"));
            match path.ends_with(name.as_str()) {
                true => format!("{from}:{line}: imports `{path}` from {to}"),
                false => format!("{from}:{line}: imports `{name}` from {to} as `{path}`"),
            }
        })
    }

    /// Finds a shortest circle through every file that stands in one.
    pub(crate) fn circles(&self) -> Vec<String> {
        let mut imported: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (from, to) in self.0.keys() {
            imported.entry(from).or_default().push(to);
        }
        let circles: BTreeSet<_> = imported
            .keys()
            .filter_map(|file| shortest_circle(&imported, file))
            .collect();
        circles.iter().map(|circle| self.describe(circle)).collect()
    }

    fn describe(&self, circle: &[&str]) -> String {
        let next = |at: usize| circle[(at + 1) % circle.len()];
        let mut text = format!("circle: {} -> {}", circle.join(" -> "), circle[0]);
        for (at, file) in circle.iter().enumerate() {
            for import in self.between(file, next(at)) {
                text.push_str("\n    ");
                text.push_str(&import);
            }
        }
        text
    }

    /// Finds the imports from a file that stands lower in the layout.
    pub(crate) fn upward(&self, layout: &Layout) -> Vec<String> {
        let mut faults = Vec::new();
        for (from, to) in self.0.keys() {
            let (Some(rank), Some(imported)) = (layout.rank(from), layout.rank(to)) else {
                continue;
            };
            let fault = if to.starts_with("src/integrations/") && from != "src/lib.rs" {
                "which no file may import"
            } else if imported > rank {
                "which stands below it in the layout of DESIGN.md"
            } else {
                continue;
            };
            let imports = self.between(from, to);
            faults.extend(imports.map(|import| format!("{import}, {fault}")));
        }
        faults
    }
}

/// Finds the imports that name an item by its re-export in `lib.rs`.
pub(crate) fn through_root(modules: &Modules) -> Vec<String> {
    let root = &modules.all[0];
    let is_reexport = |name: &String| {
        let bindings = root.names.get(name).into_iter().flatten();
        bindings.clone().any(|it| matches!(it, Binding::Use(_)))
    };
    let mut faults = BTreeSet::new();
    for (id, module) in modules.all.iter().enumerate().skip(1) {
        let uses = module.names.values().flatten().filter_map(|it| match it {
            Binding::Use(import) => Some(&import.path),
            _ => None,
        });
        for path in module.paths.iter().chain(uses) {
            let [first, name, ..] = &path.segments[..] else {
                continue;
            };
            let is_own =
                |target: &Target| matches!(target, Target::Item { file, .. } if *file != root.file);
            let targets = modules.resolve(id, &path.segments).unwrap_or_default();
            if first == "crate" && is_reexport(name) && targets.iter().any(is_own) {
                let (file, line) = (&module.file, path.line);
                faults.insert((file, line, name));
            }
        }
    }
    faults
        .iter()
        .map(|(file, line, name)| {
            format!("{file}:{line}: imports `crate::{name}` by its re-export in src/lib.rs")
        })
        .collect()
}

fn unresolved(file: &str, path: &Path, name: &str) -> String {
    let (line, path) = (path.line, path.segments.join("::"));
    format!("{file}:{line}: cannot find `{name}` of the path `{path}`")
}

/// Returns the files of a shortest circle through `file`, the first one by name in front.
fn shortest_circle<'a>(
    imported: &BTreeMap<&'a str, Vec<&'a str>>,
    file: &&'a str,
) -> Option<Vec<&'a str>> {
    let mut importer: BTreeMap<&str, &'a str> = BTreeMap::new();
    let mut queue = VecDeque::from([*file]);
    while let Some(from) = queue.pop_front() {
        for to in imported.get(from).into_iter().flatten() {
            if importer.contains_key(to) {
                continue;
            }
            importer.insert(to, from);
            queue.push_back(to);
        }
    }
    let mut circle = vec![*importer.get(file)?];
    while circle.last() != Some(file) {
        circle.push(importer[circle[circle.len() - 1]]);
    }
    circle.reverse();
    let first = (0..circle.len()).min_by_key(|&at| circle[at])?;
    circle.rotate_left(first);
    Some(circle)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(files: &[(&str, &str)]) -> (Sources, Imports) {
        let sources = Sources::of(files);
        let modules = Modules::read(&sources).ok().unwrap();
        (sources, Imports::read(&modules).unwrap())
    }

    fn edges(files: &[(&str, &str)]) -> Vec<(String, String)> {
        let edges = read(files).1.0.into_keys();
        let short = |file: String| file["src/".len()..].to_owned();
        edges.map(|(from, to)| (short(from), short(to))).collect()
    }

    fn edge(from: &str, to: &str) -> (String, String) {
        (from.to_owned(), to.to_owned())
    }

    #[test]
    fn a_circle_is_found_with_its_lines() {
        let (_, imports) = read(&[
            ("src/lib.rs", "mod a; mod b; mod c;"),
            ("src/a.rs", "use crate::b::B;\npub(crate) struct A(B);"),
            (
                "src/b.rs",
                "pub(crate) struct B;\n\nfn f() { crate::c::f() }",
            ),
            ("src/c.rs", "pub(crate) fn f() { g!(super::a::A) }"),
        ]);
        assert_eq!(
            imports.circles(),
            ["circle: src/a.rs -> src/b.rs -> src/c.rs -> src/a.rs\n    \
              src/a.rs:1: imports `crate::b::B` from src/b.rs\n    \
              src/b.rs:3: imports `crate::c::f` from src/c.rs\n    \
              src/c.rs:1: imports `super::a::A` from src/a.rs"]
        );
    }

    #[test]
    fn an_upward_import_is_found_through_its_reexports() {
        let (sources, imports) = read(&[
            (
                "DESIGN.md",
                "# Layout\n```text\nlow.rs\nhigh/ inner, mod\nlib.rs\n```",
            ),
            ("src/lib.rs", "mod high; mod low; pub use high::Thing;"),
            ("src/high/mod.rs", "mod inner; pub use inner::Thing;"),
            ("src/high/inner.rs", "pub struct Thing;"),
            (
                "src/low.rs",
                "\nuse crate::Thing as Other;\nuse super::high::Thing;",
            ),
        ]);
        let layout = Layout::read(&sources).ok().unwrap();
        assert_eq!(
            imports.upward(&layout),
            [
                "src/low.rs:2: imports `crate::Thing` from src/high/inner.rs, \
              which stands below it in the layout of DESIGN.md"
            ]
        );
    }

    #[test]
    fn no_file_imports_an_integration() {
        let (sources, imports) = read(&[
            (
                "DESIGN.md",
                "# Layout\n```text\nintegrations/ a, b, mod\nlib.rs\n```",
            ),
            ("src/lib.rs", "mod integrations; pub use integrations::A;"),
            ("src/integrations/mod.rs", "mod a; mod b; pub use a::A;"),
            ("src/integrations/a.rs", "pub struct A;"),
            ("src/integrations/b.rs", "use super::a::A;"),
        ]);
        let layout = Layout::read(&sources).ok().unwrap();
        assert_eq!(
            imports.upward(&layout),
            [
                "src/integrations/b.rs:1: imports `super::a::A` from src/integrations/a.rs, \
              which no file may import"
            ]
        );
    }

    #[test]
    fn a_reexport_is_an_import_only_if_the_file_itself_uses_the_name() {
        let parent = "mod a; mod b; pub use a::A;";
        let files = |parent| {
            edges(&[
                ("src/lib.rs", parent),
                ("src/a.rs", "pub struct A;"),
                ("src/b.rs", "use super::A;"),
            ])
        };
        assert_eq!(files(parent), [edge("b.rs", "a.rs")]);
        assert_eq!(
            files("mod a; mod b; pub use a::A; enum E { A(A) }"),
            [edge("b.rs", "a.rs"), edge("lib.rs", "a.rs")]
        );
    }

    #[test]
    fn paths_through_modules_globs_and_uniform_paths_are_followed() {
        assert_eq!(
            edges(&[
                ("src/lib.rs", "mod a; mod b; mod c; mod d; mod e;"),
                ("src/a.rs", "pub struct A; impl A { pub fn new() {} }"),
                (
                    "src/b.rs",
                    "use crate::a; fn f() { a::A::new(); bytes::f(); http::X::a() }"
                ),
                ("src/c.rs", "pub(crate) use crate::a::*;"),
                ("src/d.rs", "use super::c::*;"),
                (
                    "src/e/mod.rs",
                    "mod http; use self::http::H; use ::http::X; use bytes::Y;"
                ),
                (
                    "src/e/http.rs",
                    "pub struct H; pub enum Http { A } use Http::*;"
                ),
            ]),
            [
                edge("b.rs", "a.rs"),
                edge("d.rs", "a.rs"),
                edge("e/mod.rs", "e/http.rs")
            ]
        );
    }

    #[test]
    fn alternatives_by_cfg_and_files_with_a_path_count_all() {
        assert_eq!(
            edges(&[
                (
                    "src/lib.rs",
                    "mod a; #[cfg(feature = \"x\")] mod ws;
                     #[cfg(not(feature = \"x\"))] #[path = \"ws/disabled.rs\"] mod ws;"
                ),
                ("src/ws/mod.rs", "mod upgrade; pub use upgrade::Upgrade;"),
                ("src/ws/upgrade.rs", "pub struct Upgrade;"),
                ("src/ws/disabled.rs", "pub enum Upgrade {}"),
                ("src/a.rs", "use crate::ws::Upgrade;"),
            ]),
            [
                edge("a.rs", "ws/disabled.rs"),
                edge("a.rs", "ws/upgrade.rs")
            ]
        );
    }

    #[test]
    fn a_function_hides_the_file_of_its_name() {
        assert_eq!(
            edges(&[
                ("src/lib.rs", "mod raise; mod a; mod b;"),
                (
                    "src/raise/mod.rs",
                    "mod catch; pub use catch::{catch, Catch};"
                ),
                ("src/raise/catch.rs", "pub fn catch() {} pub struct Catch;"),
                ("src/a.rs", "use crate::raise::catch; fn f() { catch() }"),
                ("src/b.rs", "fn f(_: crate::raise::catch::Catch) {}"),
            ]),
            [
                edge("a.rs", "raise/catch.rs"),
                edge("b.rs", "raise/catch.rs")
            ]
        );
    }

    #[test]
    fn names_that_macros_define_belong_to_the_file_of_the_macro() {
        assert_eq!(
            edges(&[
                ("src/lib.rs", "mod a; mod b; mod c;"),
                (
                    "src/a.rs",
                    "pin_project! { pub struct A { x: crate::c::C } } m!(B);"
                ),
                ("src/b.rs", "use crate::a::{A, B};"),
                ("src/c.rs", "pub(crate) struct C;"),
            ]),
            [edge("a.rs", "c.rs"), edge("b.rs", "a.rs")]
        );
    }

    #[test]
    fn tests_import_from_anywhere() {
        assert_eq!(
            edges(&[
                ("src/lib.rs", "mod a; mod b;"),
                ("src/a.rs", "#[cfg(test)] mod tests { use crate::b::B; }"),
                ("src/b.rs", "pub struct B; /// [`crate::a::A`]\nfn f() {}"),
            ]),
            []
        );
    }

    #[test]
    fn an_import_by_the_crate_root_is_found() {
        let sources = Sources::of(&[
            (
                "src/lib.rs",
                "mod a; mod b; pub use a::A; pub use http; struct Own;",
            ),
            ("src/a.rs", "pub struct A;"),
            (
                "src/b.rs",
                "use crate::{Own, http, a::A};\nfn f() { crate::A::new() }",
            ),
        ]);
        let modules = Modules::read(&sources).ok().unwrap();
        assert_eq!(
            through_root(&modules),
            ["src/b.rs:2: imports `crate::A` by its re-export in src/lib.rs"]
        );
    }

    #[test]
    fn a_path_that_leads_nowhere_and_a_file_of_no_module_are_faults() {
        let fault = |files: &[(&str, &str)]| match Modules::read(&Sources::of(files)) {
            Ok(modules) => Imports::read(&modules).err().unwrap(),
            Err(fault) => fault,
        };
        assert_eq!(
            fault(&[("src/lib.rs", "mod a;"), ("src/a.rs", "\nuse crate::b::C;")]),
            "src/a.rs:2: cannot find `b` of the path `crate::b::C`"
        );
        assert_eq!(
            fault(&[("src/lib.rs", ""), ("src/a.rs", "")]),
            "src/a.rs: no `mod` declares this file"
        );
        assert_eq!(
            fault(&[("src/lib.rs", "\nmod a;")]),
            "src/lib.rs:2: `mod a;` has no file"
        );
    }
}
