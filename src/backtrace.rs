//! Frames of a backtrace: their function, file and line, and whose code they are.

use std::{
    backtrace::{Backtrace, BacktraceStatus},
    fmt,
    path::{Component, Path, PathBuf},
};

/// One function call of a backtrace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    function: String,
    file: Option<PathBuf>,
    line: Option<u32>,
    column: Option<u32>,
    origin: FrameOrigin,
    is_outside_layer: bool,
}

/// Owner of the code of a [`Frame`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FrameOrigin {
    /// The application: code of no other origin, such as a crate of its workspace.
    Application,
    /// A crate of a registry or a git repository that is no runtime.
    Dependency,
    /// This crate.
    Layer,
    /// The standard library, and the crates that run a service: tokio, hyper, tower, axum, tonic
    /// and their parts.
    Runtime,
}

/// Crates that run services, besides those whose name begins with one of these and `-` or `_`.
const RUNTIMES: [&str; 14] = [
    "std", "core", "alloc", "tokio", "hyper", "tower", "axum", "tonic", "futures", "http", "h2",
    "matchit", "mio", "tracing",
];

/// Modules that call the service, its future, its body or the callback of a WebSocket.
const BORDER: [&str; 4] = [
    "tower_exception::service::",
    "tower_exception::future::",
    "tower_exception::body::",
    "tower_exception::websocket::handle::",
];

/// Returns the frames of a backtrace, the innermost call first.
///
/// The names and lines are looked up here, which takes milliseconds. There are none if the
/// backtrace was not captured.
///
/// ```
/// use std::backtrace::Backtrace;
/// use tower_exception::panics::{FrameOrigin, frames};
///
/// let frames = frames(&Backtrace::force_capture());
/// for frame in frames.iter().filter(|frame| frame.origin() == FrameOrigin::Application) {
///     println!("{} at {:?}:{:?}", frame.function(), frame.file(), frame.line());
/// }
/// # assert!(frames.iter().any(|frame| frame.origin() == FrameOrigin::Runtime));
/// ```
pub fn frames(backtrace: &Backtrace) -> Vec<Frame> {
    match backtrace.status() {
        BacktraceStatus::Captured => read(&backtrace.to_string()),
        _ => Vec::new(),
    }
}

/// Reads the text of a backtrace. The standard library has no other stable access to the frames.
fn read(text: &str) -> Vec<Frame> {
    let mut frames: Vec<Frame> = Vec::new();
    for line in text.lines() {
        let line = line.trim_start();
        match (line.strip_prefix("at "), frames.last_mut()) {
            (Some(text), Some(frame)) if frame.file.is_none() => frame.set_location(text),
            (Some(_), _) => {}
            (None, _) => frames.push(Frame::new(without_number(line))),
        }
    }
    let mut is_outside_layer = false;
    for frame in &mut frames {
        frame.origin = origin_of(frame);
        frame.is_outside_layer = is_outside_layer;
        is_outside_layer |= BORDER.iter().any(|border| frame.function.contains(border));
    }
    frames
}

/// Strips the number of a frame: `12: shop::buy`. A function that was inlined has none.
fn without_number(line: &str) -> &str {
    match line.split_once(": ") {
        Some((number, function)) if number.bytes().all(|byte| byte.is_ascii_digit()) => function,
        _ => line,
    }
}

impl Frame {
    fn new(function: &str) -> Self {
        Self {
            function: function.to_owned(),
            file: None,
            line: None,
            column: None,
            origin: FrameOrigin::Application,
            is_outside_layer: false,
        }
    }

    /// Sets the location: `./src/main.rs:12:5`. The column may be absent.
    fn set_location(&mut self, text: &str) {
        let mut numbers = [None; 2];
        let mut file = text;
        for number in &mut numbers {
            match file
                .rsplit_once(':')
                .map(|(rest, last)| (rest, last.parse::<u32>()))
            {
                Some((rest, Ok(parsed))) => (file, *number) = (rest, Some(parsed)),
                _ => break,
            }
        }
        (self.line, self.column) = match numbers {
            [column, Some(line)] => (Some(line), column),
            [line, None] => (line, None),
        };
        self.file = Some(PathBuf::from(file));
    }

    /// Returns the path of the function, such as `shop::cart::total`.
    pub fn function(&self) -> &str {
        &self.function
    }

    /// Returns the file, if the binary has debug information. A path in the current directory
    /// begins with `./`.
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// Returns the line, of which the first is 1, if the binary has debug information.
    pub fn line(&self) -> Option<u32> {
        self.line
    }

    /// Returns the column, of which the first is 1, if the binary has debug information.
    pub fn column(&self) -> Option<u32> {
        self.column
    }

    /// Returns whose code the function is.
    pub fn origin(&self) -> FrameOrigin {
        self.origin
    }

    /// Returns whether the function has called the layer, directly or not: a server's, a runtime's
    /// or the application's `main`.
    pub fn is_outside_layer(&self) -> bool {
        self.is_outside_layer
    }

    /// Returns the name of the crate, as far as the function's path says it.
    pub(crate) fn crate_name(&self) -> Option<&str> {
        crate_of(&self.function)
    }
}

/// Shows the function, and the file, line and column if they are known.
impl fmt::Display for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.function)?;
        if let Some(file) = &self.file {
            write!(f, " at {}", file.display())?;
        }
        let numbers = [self.line, self.column];
        numbers
            .into_iter()
            .flatten()
            .try_for_each(|number| write!(f, ":{number}"))
    }
}

fn origin_of(frame: &Frame) -> FrameOrigin {
    let crate_name = frame.crate_name();
    if crate_name == Some("tower_exception") {
        return FrameOrigin::Layer;
    }
    let file = frame.file.as_deref();
    // Code in C has neither.
    let is_rust =
        crate_name.is_some() || file.is_some_and(|it| it.extension() == Some("rs".as_ref()));
    if !is_rust {
        return FrameOrigin::Runtime;
    }
    match file.map(package_of) {
        Some(Package::Std) => FrameOrigin::Runtime,
        Some(Package::Registry(name)) if is_runtime(name) => FrameOrigin::Runtime,
        Some(Package::Registry(_)) => FrameOrigin::Dependency,
        Some(Package::Local) => FrameOrigin::Application,
        // A binary without debug information.
        None => match crate_name {
            Some(name) if !is_runtime(name) => FrameOrigin::Application,
            _ => FrameOrigin::Runtime,
        },
    }
}

/// Package that a file belongs to.
enum Package<'a> {
    Std,
    /// A package of a registry or a git repository, with its name.
    Registry(&'a str),
    Local,
}

fn package_of(file: &Path) -> Package<'_> {
    let mut names = file.components().filter_map(|component| match component {
        Component::Normal(name) => name.to_str(),
        _ => None,
    });
    let is_std = |names: &[&str]| matches!(names, ["rustc", _, "library", ..]);
    let all: Vec<&str> = names.by_ref().collect();
    let after = |folders: [&str; 2]| {
        let position = all.windows(2).position(|pair| pair == folders)?;
        // `registry/src/<index>/<package>` and `git/checkouts/<package>/<commit>`.
        all.get(position + if folders[0] == "registry" { 3 } else { 2 })
            .copied()
    };
    let is_in_toolchain = all
        .windows(3)
        .any(|path| path == ["rustlib", "src", "rust"]);
    if is_std(&all) || is_in_toolchain || file.starts_with("/rust/deps") {
        Package::Std
    } else if let Some(package) = after(["registry", "src"]).or(after(["git", "checkouts"])) {
        Package::Registry(package)
    } else {
        Package::Local
    }
}

/// Returns whether a crate, or a package with its version, is one that runs services.
fn is_runtime(name: &str) -> bool {
    RUNTIMES.iter().any(|runtime| {
        let rest = name.strip_prefix(runtime);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['-', '_']))
    })
}

/// Returns the name of the crate of a function: `axum` for `axum::serve` and for
/// `<axum::Route as tower::Service>::call`, and `shop` for `<T as shop::Stock>::take`.
fn crate_of(function: &str) -> Option<&str> {
    let (of_type, of_trait) = match function.strip_prefix('<') {
        Some(path) => path.split_once(" as ").unwrap_or((path, "")),
        None => (function, ""),
    };
    [of_type, of_trait].into_iter().find_map(|path| {
        let path = path.trim_start_matches(['<', '&', '(', '*', ' ']);
        let path = ["mut ", "const ", "dyn ", "impl "]
            .iter()
            .fold(path, |path, prefix| {
                path.strip_prefix(prefix).unwrap_or(path)
            });
        let (name, _) = path.split_once("::")?;
        let is_name = |char: char| char.is_ascii_alphanumeric() || char == '_';
        (!name.is_empty() && name.chars().all(is_name)).then_some(name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "   0: __rustc::rust_begin_unwind
             at /rustc/abc/library/std/src/panicking.rs:689:5
   1: core::panicking::panic_fmt
             at /rustc/abc/library/core/src/panicking.rs:80:14
   2: shop::cart::total
             at ./src/cart.rs:12:9
      <shop::Cart as shop::Sum>::sum
             at ./src/cart.rs:20:5
   3: <sqlx::Pool<DB> as sqlx::Executor>::run
             at /home/me/.cargo/registry/src/index.crates.io-1/sqlx-0.8.0/src/pool.rs:3:1
   4: <F as axum::handler::Handler<M,S>>::call
             at /home/me/.cargo/registry/src/index.crates.io-1/axum-0.8.4/src/handler.rs:3:1
   5: <tower_exception::future::ResponseFuture<F,B,C> as core::future::Future>::poll
             at /home/me/tower-exception/src/future.rs:77:9
   6: shop::main
             at ./src/main.rs:4
   7: start_thread
             at nptl/pthread_create.c:442:8
   8: <unknown>
";

    #[test]
    fn the_frames_of_each_origin_are_told_apart() {
        use FrameOrigin::{Application, Dependency, Layer, Runtime};
        let origins: Vec<_> = read(TEXT).iter().map(Frame::origin).collect();
        let expected = [
            Runtime,
            Runtime,
            Application,
            Application,
            Dependency,
            Runtime,
            Layer,
            Application,
            Runtime,
            Runtime,
        ];
        assert_eq!(origins, expected);
        let outside = read(TEXT)
            .iter()
            .filter(|frame| frame.is_outside_layer)
            .count();
        assert_eq!(outside, 3);
    }

    #[test]
    fn a_frame_has_its_file_and_line() {
        let frames = read(TEXT);
        assert_eq!(
            frames[2].to_string(),
            "shop::cart::total at ./src/cart.rs:12:9"
        );
        assert_eq!(
            frames[3].to_string(),
            "<shop::Cart as shop::Sum>::sum at ./src/cart.rs:20:5"
        );
        assert_eq!(frames[7].to_string(), "shop::main at ./src/main.rs:4");
        assert_eq!((frames[7].line(), frames[7].column()), (Some(4), None));
        assert_eq!(
            frames[8].to_string(),
            "start_thread at nptl/pthread_create.c:442:8"
        );
        assert_eq!(frames[4].crate_name(), Some("sqlx"));
        assert_eq!(frames[5].crate_name(), Some("axum"));
    }

    #[test]
    fn a_backtrace_of_this_test_has_this_test() {
        let frames = frames(&Backtrace::force_capture());
        let here = frames
            .iter()
            .find(|frame| frame.function.contains("of_this_test"));
        assert_eq!(here.unwrap().origin(), FrameOrigin::Layer);
        assert!(here.unwrap().line().is_some());
        assert!(super::frames(&Backtrace::disabled()).is_empty());
    }
}
