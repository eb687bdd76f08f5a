//! The library's modules: which file holds each, and which names are in its scope.

use std::collections::{BTreeMap, BTreeSet};

use quote::ToTokens;
use syn::{Attribute, Expr, ExprLit, Ident, Item, ItemMod, Lit, Meta, Visibility};

use crate::{
    scan::{Import, Path, needs_test, scan},
    sources::Sources,
};

/// All modules of a crate; the first one is its root.
pub(crate) struct Modules {
    pub(crate) all: Vec<Module>,
    /// Files that are there only for tests.
    test_files: BTreeSet<String>,
}

/// Index of a module in [`Modules::all`].
pub(crate) type Id = usize;

/// A module, without its items for tests. A file may hold several, one in another.
pub(crate) struct Module {
    pub(crate) parent: Option<Id>,
    pub(crate) file: String,
    /// A name has several bindings if it is defined once for each of several `cfg`s.
    pub(crate) names: BTreeMap<String, Vec<Binding>>,
    pub(crate) globs: Vec<Use>,
    /// Paths in the code of its items, except those of `use` declarations.
    pub(crate) paths: Vec<Path>,
    /// Says whether a macro stands among its items, whose names only the compiler knows.
    pub(crate) has_macros: bool,
}

/// Meaning of a name in the scope of a module.
#[derive(Clone, Debug)]
pub(crate) enum Binding {
    Item,
    Module(Id),
    Use(Use),
}

/// A leaf of a `use` declaration of a module or inside of one of its functions.
#[derive(Clone, Debug)]
pub(crate) struct Use {
    pub(crate) path: Path,
    /// Says whether the declaration has a visibility of its own, `pub(crate)` for one.
    pub(crate) is_reexport: bool,
}

impl Modules {
    /// Reads the modules of `src/lib.rs`.
    ///
    /// # Errors
    ///
    /// If a file is absent, does not parse, or belongs to no module.
    pub(crate) fn read(sources: &Sources) -> Result<Self, String> {
        let mut modules = Self {
            all: Vec::new(),
            test_files: BTreeSet::new(),
        };
        modules.read_file(sources, None, "src/lib.rs", "src")?;
        for (file, _) in sources.library() {
            let is_read = modules.all.iter().any(|module| module.file == file);
            if !is_read && !modules.test_files.contains(file) {
                return Err(format!("{file}: no `mod` declares this file"));
            }
        }
        Ok(modules)
    }

    /// Reads a file whose child modules lie in `folder`.
    fn read_file(
        &mut self,
        sources: &Sources,
        parent: Option<Id>,
        file: &str,
        folder: &str,
    ) -> Result<Id, String> {
        let text = sources
            .get(file)
            .ok_or_else(|| format!("{file}: no such file"))?;
        let parsed = syn::parse_file(text).map_err(|error| {
            let line = error.span().start().line;
            format!("{file}:{line}: {error}")
        })?;
        self.read_module(sources, parent, file, folder, parsed.items)
    }

    fn read_module(
        &mut self,
        sources: &Sources,
        parent: Option<Id>,
        file: &str,
        folder: &str,
        items: Vec<Item>,
    ) -> Result<Id, String> {
        let id = self.all.len();
        self.all.push(Module {
            parent,
            file: file.to_owned(),
            names: BTreeMap::new(),
            globs: Vec::new(),
            paths: Vec::new(),
            has_macros: false,
        });
        for item in items {
            match item {
                Item::Mod(item) if is_for_tests(&item.attrs) => {
                    if item.content.is_none() {
                        let child = file_of(sources, &item, file, folder);
                        self.test_files.extend(child.map(|(file, _)| file));
                    }
                }
                Item::Mod(item) => {
                    let name = item.ident.to_string();
                    let child = match item.content {
                        Some((_, items)) => {
                            let folder = format!("{folder}/{name}");
                            self.read_module(sources, Some(id), file, &folder, items)?
                        }
                        None => {
                            let (file, folder) = file_of(sources, &item, file, folder)?;
                            self.read_file(sources, Some(id), &file, &folder)?
                        }
                    };
                    self.all[id].bind(name, Binding::Module(child));
                }
                item => self.all[id].read_item(&item),
            }
        }
        Ok(id)
    }
}

impl Module {
    fn bind(&mut self, name: String, binding: Binding) {
        self.names.entry(name).or_default().push(binding);
    }

    fn read_item(&mut self, item: &Item) {
        let scan = scan(item.to_token_stream());
        let is_reexport = match item {
            Item::Use(item) => !matches!(item.vis, Visibility::Inherited),
            _ => false,
        };
        for Import { path, name } in scan.imports {
            let import = Use { path, is_reexport };
            match name {
                Some(name) => self.bind(name, Binding::Use(import)),
                None => self.globs.push(import),
            }
        }
        if !matches!(item, Item::Use(_)) {
            self.paths.extend(scan.paths);
        }
        if let Some(name) = name_of(item) {
            self.bind(name.to_string(), Binding::Item);
        } else if let Item::Macro(item) = item {
            self.has_macros = true;
            for name in crate::scan::scan(item.mac.tokens.clone()).definitions {
                self.bind(name, Binding::Item);
            }
        }
    }
}

fn name_of(item: &Item) -> Option<&Ident> {
    match item {
        Item::Const(item) => Some(&item.ident),
        Item::Enum(item) => Some(&item.ident),
        Item::Fn(item) => Some(&item.sig.ident),
        Item::Macro(item) => item.ident.as_ref(),
        Item::Static(item) => Some(&item.ident),
        Item::Struct(item) => Some(&item.ident),
        Item::Trait(item) => Some(&item.ident),
        Item::TraitAlias(item) => Some(&item.ident),
        Item::Type(item) => Some(&item.ident),
        Item::Union(item) => Some(&item.ident),
        _ => None,
    }
}

pub(crate) fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes
        .iter()
        .any(|attribute| needs_test(attribute.meta.to_token_stream()))
}

/// Finds the file of `mod name;` in `file`, and the folder of the modules inside of that one.
fn file_of(
    sources: &Sources,
    item: &ItemMod,
    file: &str,
    folder: &str,
) -> Result<(String, String), String> {
    let name = &item.ident;
    let candidates = match item.attrs.iter().find_map(path_of) {
        Some(path) => {
            let (parent, _) = file.rsplit_once('/').unwrap_or_default();
            let path = format!("{parent}/{path}");
            // The modules inside of a file with a path of its own lie next to it.
            let (inside, _) = path.rsplit_once('/').unwrap_or_default();
            vec![(path.clone(), inside.to_owned())]
        }
        None => {
            let inside = format!("{folder}/{name}");
            vec![
                (format!("{inside}.rs"), inside.clone()),
                (format!("{inside}/mod.rs"), inside),
            ]
        }
    };
    let line = name.span().start().line;
    candidates
        .into_iter()
        .find(|(path, _)| sources.get(path).is_some())
        .ok_or_else(|| format!("{file}:{line}: `mod {name};` has no file"))
}

/// Returns the path of a `#[path = ".."]`.
fn path_of(attribute: &Attribute) -> Option<String> {
    match &attribute.meta {
        Meta::NameValue(meta) if meta.path.is_ident("path") => match &meta.value {
            Expr::Lit(ExprLit {
                lit: Lit::Str(path),
                ..
            }) => Some(path.value()),
            _ => None,
        },
        _ => None,
    }
}
