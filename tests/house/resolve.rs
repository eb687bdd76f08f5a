//! From a path to the file that defines the item, through all re-exports.

use std::collections::BTreeSet;

use crate::modules::{Binding, Id, Module, Modules, Use};

/// End of a path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Target {
    /// An item of this crate, named as in the file that defines it.
    Item {
        file: String,
        name: String,
    },
    Module(Id),
    /// Another crate, or something that is in scope everywhere.
    External,
}

/// Names that are being resolved, and whether a path goes on after them.
///
/// A name that leads to itself leads nowhere.
type Trail = BTreeSet<(Id, String, bool)>;

impl Modules {
    /// Resolves a path that stands in the module `from`.
    ///
    /// It leads to several items if they are alternatives by `cfg`. A path goes on after an item: a
    /// variant, an associated function. It leads nowhere if its first segment is another crate's.
    ///
    /// # Errors
    ///
    /// Names the segment that is in no scope, if the path begins with `crate`, `self` or `super`.
    pub(crate) fn resolve(&self, from: Id, path: &[String]) -> Result<BTreeSet<Target>, String> {
        self.follow(from, path, &mut Trail::new())
    }

    fn follow(
        &self,
        from: Id,
        path: &[String],
        trail: &mut Trail,
    ) -> Result<BTreeSet<Target>, String> {
        let (mut targets, mut rest) = self.begin(from, path, trail);
        while let [name, tail @ ..] = rest {
            let modules: Vec<Id> = targets.iter().filter_map(as_module).collect();
            if modules.is_empty() {
                break;
            }
            let mut found = BTreeSet::new();
            for module in modules {
                found.extend(self.lookup(module, name, !tail.is_empty(), trail));
            }
            if found.is_empty() {
                return Err(name.clone());
            }
            // Only a module has anything below it that can be imported. At the end of a path an
            // item hides a module: `raise::catch` is the function and not the file.
            let keeps_modules = !tail.is_empty() && found.iter().any(|it| as_module(it).is_some());
            let has_items = found.iter().any(|it| as_module(it).is_none());
            if keeps_modules {
                found.retain(|it| as_module(it).is_some());
            } else if has_items {
                found.retain(|it| as_module(it).is_none());
            }
            (targets, rest) = (found, tail);
        }
        targets.remove(&Target::External);
        Ok(targets)
    }

    /// Resolves the beginning of a path, and returns the segments after it.
    fn begin<'a>(
        &self,
        from: Id,
        path: &'a [String],
        trail: &mut Trail,
    ) -> (BTreeSet<Target>, &'a [String]) {
        let mut module = from;
        let mut rest = path;
        while let [first, tail @ ..] = rest {
            module = match first.as_str() {
                "crate" => 0,
                "self" => module,
                "super" => self.all[module].parent.unwrap_or(0),
                _ => break,
            };
            rest = tail;
        }
        match rest {
            [first, tail @ ..] if rest.len() == path.len() => {
                let mut targets = self.in_scope(module, first, !tail.is_empty(), trail);
                if targets.is_empty() {
                    targets.insert(Target::External);
                }
                if !tail.is_empty() && targets.iter().any(|it| as_module(it).is_some()) {
                    targets.retain(|it| as_module(it).is_some());
                }
                (targets, tail)
            }
            _ => (BTreeSet::from([Target::Module(module)]), rest),
        }
    }

    /// Returns everything that `name` stands for when it is asked of a module from outside of it.
    fn lookup(&self, module: Id, name: &str, goes_on: bool, trail: &mut Trail) -> BTreeSet<Target> {
        let mut targets = self.in_scope(module, name, goes_on, trail);
        let Module {
            file, has_macros, ..
        } = &self.all[module];
        if targets.is_empty() && *has_macros {
            targets.insert(Target::Item {
                file: file.clone(),
                name: name.to_owned(),
            });
        }
        targets
    }

    fn in_scope(
        &self,
        module: Id,
        name: &str,
        goes_on: bool,
        trail: &mut Trail,
    ) -> BTreeSet<Target> {
        let mut targets = BTreeSet::new();
        let key = (module, name.to_owned(), goes_on);
        if !trail.insert(key.clone()) {
            return targets;
        }
        let Module {
            file, names, globs, ..
        } = &self.all[module];
        for binding in names.get(name).into_iter().flatten() {
            match binding {
                Binding::Item => {
                    targets.insert(Target::Item {
                        file: file.clone(),
                        name: name.to_owned(),
                    });
                }
                Binding::Module(id) => {
                    targets.insert(Target::Module(*id));
                }
                Binding::Use(import) => {
                    let found = self.follow(module, &import.path.segments, trail);
                    match found {
                        Ok(found) if found.is_empty() => {
                            targets.insert(Target::External);
                        }
                        found => targets.extend(found.unwrap_or_default()),
                    }
                }
            }
        }
        if targets.is_empty() {
            for glob in globs {
                let below = self.follow(module, &glob.path.segments, trail);
                for below in below.unwrap_or_default().iter().filter_map(as_module) {
                    targets.extend(self.in_scope(below, name, goes_on, trail));
                }
            }
        }
        trail.remove(&key);
        targets
    }

    /// Returns every item that a glob import brings into scope.
    ///
    /// # Errors
    ///
    /// As [`resolve`](Self::resolve).
    pub(crate) fn glob(&self, from: Id, glob: &Use) -> Result<BTreeSet<Target>, String> {
        let mut items = BTreeSet::new();
        for target in self.resolve(from, &glob.path.segments)? {
            match target {
                Target::Module(module) => {
                    for name in self.all[module].names.keys() {
                        items.extend(self.lookup(module, name, false, &mut Trail::new()));
                    }
                    for glob in &self.all[module].globs {
                        if glob.is_reexport && module != from {
                            items.extend(self.glob(module, glob)?);
                        }
                    }
                }
                // The variants of an enum.
                target => drop(items.insert(target)),
            }
        }
        items.retain(|item| matches!(item, Target::Item { .. }));
        Ok(items)
    }
}

fn as_module(target: &Target) -> Option<Id> {
    match target {
        Target::Module(id) => Some(*id),
        _ => None,
    }
}
