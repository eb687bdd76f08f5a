#![doc = include_str!("../docs/debug_page.md")]

mod access;
mod backtrace_section;
mod editor;
mod failure_page;
mod highlight;
mod history;
mod markdown;
mod markup;
mod members;
mod renderer;
mod request_section;
mod request_view;
mod secrets;
mod service;
mod snapshot;
mod source;
mod spans;
mod type_names;

use std::{borrow::Cow, fmt, sync::Arc};

use http::HeaderName;

pub(crate) use self::renderer::Debugging;
pub use self::service::{HistoryFuture, HistoryLayer, HistoryService};

use self::{
    access::{Visitor, capture_peer},
    editor::Editor,
    history::History,
    snapshot::Snapshot,
};
use crate::{
    caught::{Captures, Caught},
    report::Outcome,
    unwind::ignore_panic,
};

/// Page for development: all that is known of a failure, in the browser of the developer.
///
/// A clone shares the last failures with the original.
///
/// ```
/// use tower_exception::{ExceptionLayer, debug_page::DebugPage};
///
/// let page = DebugPage::new();
/// let app: axum::Router = axum::Router::new()
///     .layer(ExceptionLayer::new().with_debug_page(page.clone()))
///     .layer(page.history_layer("/failures"));
/// ```
#[derive(Clone)]
#[must_use = "a page does nothing unless a layer has it"]
pub struct DebugPage {
    options: Arc<Options>,
    history: Arc<History>,
}

#[derive(Clone)]
struct Options {
    is_on: bool,
    has_members: bool,
    editor: Editor,
    hosts: Vec<String>,
    blanked: Vec<HeaderName>,
}

impl DebugPage {
    /// Creates a page that is on in builds with debug assertions, and off in any other.
    ///
    /// The profiles of cargo decide: `dev` and `test` have debug assertions, `release` and `bench`
    /// have none. What counts is the profile with which this crate is compiled.
    pub fn new() -> Self {
        Self {
            options: Arc::new(Options {
                is_on: cfg!(debug_assertions),
                has_members: true,
                editor: Editor::from_env(),
                hosts: Vec::new(),
                blanked: Vec::new(),
            }),
            history: Arc::default(),
        }
    }

    /// Switches the page on in a release build too.
    ///
    /// Use it only for a server that no one else can reach. The page shows error messages, paths
    /// and source code.
    ///
    /// ```
    /// use tower_exception::debug_page::DebugPage;
    ///
    /// assert!(DebugPage::new().even_in_release_builds().is_on());
    /// ```
    pub fn even_in_release_builds(self) -> Self {
        self.with(|options| options.is_on = true)
    }

    /// Returns whether the page is on.
    pub fn is_on(&self) -> bool {
        self.options.is_on
    }

    /// Sets the template of the links that open a place in an editor. `{file}` stands for the
    /// encoded absolute path, which begins with a slash, `{line}` and `{column}` for numbers.
    ///
    /// Defaults to the environment variable `DEBUG_PAGE_EDITOR`, or else to VS Code. An empty
    /// template makes no links.
    ///
    /// | editor | template |
    /// | --- | --- |
    /// | VS Code | `vscode://file{file}:{line}:{column}` |
    /// | Cursor | `cursor://file{file}:{line}:{column}` |
    /// | Zed | `zed://file{file}:{line}:{column}` |
    /// | RustRover, CLion | `idea://open?file={file}&line={line}&column={column}` |
    ///
    /// ```
    /// use tower_exception::debug_page::DebugPage;
    ///
    /// let page = DebugPage::new().editor("zed://file{file}:{line}:{column}");
    /// ```
    pub fn editor(self, template: impl Into<Cow<'static, str>>) -> Self {
        self.with(|options| options.editor = Editor::new(template.into()))
    }

    /// Adds no member to JSON: only browsers see more than clients elsewhere. For clients that
    /// refuse unknown members.
    ///
    /// ```
    /// use tower_exception::debug_page::DebugPage;
    ///
    /// let page = DebugPage::new().without_members();
    /// ```
    pub fn without_members(self) -> Self {
        self.with(|options| options.has_members = false)
    }

    /// Adds a name of this machine, such as `shop.test`, under which the page may be seen.
    ///
    /// Without it these are `localhost`, its subdomains and the loopback addresses.
    ///
    /// ```
    /// use tower_exception::debug_page::DebugPage;
    ///
    /// let page = DebugPage::new().allow_host("shop.test");
    /// ```
    pub fn allow_host(self, host: impl Into<String>) -> Self {
        self.with(|options| options.hosts.push(host.into()))
    }

    /// Blanks the value of one more header of requests.
    ///
    /// Blanked without it are the headers whose name says that they hold a secret, such as
    /// `authorization`, `x-api-key` and every `*-token`, the values of cookies and queries, values
    /// that begin as credentials do (`Bearer`), and values that are [marked][sensitive].
    ///
    /// ```
    /// use http::HeaderName;
    /// use tower_exception::debug_page::DebugPage;
    ///
    /// let page = DebugPage::new().blank_header(HeaderName::from_static("x-customer"));
    /// ```
    ///
    /// [sensitive]: http::HeaderValue::set_sensitive
    pub fn blank_header(self, name: HeaderName) -> Self {
        self.with(|options| options.blanked.push(name))
    }

    fn with(mut self, change: impl FnOnce(&mut Options)) -> Self {
        change(Arc::make_mut(&mut self.options));
        self
    }

    /// Captures the parts of each request that the page shows or decides by.
    pub(crate) fn capture(captures: &mut Captures) {
        captures.headers = true;
        capture_peer(captures);
        #[cfg(feature = "axum")]
        captures.add::<axum::extract::MatchedPath>();
    }

    /// Adds a failure to the last ones. It is an observer.
    pub(crate) fn record(&self, caught: &Caught, outcome: Outcome) {
        ignore_panic(|| self.history.add(self.snapshot(caught, outcome)));
    }

    fn snapshot(&self, caught: &Caught, outcome: Outcome) -> Snapshot {
        Snapshot::of(caught, outcome, &self.options.blanked)
    }

    fn admits(&self, visitor: &Visitor<'_>) -> bool {
        self.options.is_on && visitor.is_admitted(&self.options.hosts)
    }
}

impl Default for DebugPage {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for DebugPage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DebugPage")
            .field("is_on", &self.is_on())
            .finish_non_exhaustive()
    }
}
