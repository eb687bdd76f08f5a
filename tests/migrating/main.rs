//! The migration guides: the code of each page, before and after, behaves as its tables say.

#![allow(dead_code, reason = "`main` of an example is not called")]

#[path = "../../examples/migrating/anyhow.rs"]
mod anyhow;
#[path = "../../examples/migrating/catch_panic.rs"]
mod catch_panic;
mod claims;
#[path = "../../examples/migrating/handle_error.rs"]
mod handle_error;
mod page;
#[path = "../support/mod.rs"]
mod support;
mod tables;
#[path = "../../examples/migrating/thiserror.rs"]
mod thiserror;

use axum::Router;
use page::Page;
use support::{Server, log::Log, panic_hook_runs};
use tables::{answer, events};

/// Defines the guide of one page: its text, the example's text, and the example's routers.
macro_rules! guides {
    ($($name:ident)*) => {
        const GUIDES: &[Guide] = &[$(Guide {
            page: Page {
                name: stringify!($name),
                text: include_str!(concat!("../../src/docs/migrating/", stringify!($name), ".md")),
            },
            example: include_str!(concat!("../../examples/migrating/", stringify!($name), ".rs")),
            before: $name::before::router,
            after: $name::after::router,
        }),*];
    };
}

guides! { anyhow catch_panic handle_error thiserror }

/// A page, and the example that it describes.
struct Guide {
    page: Page,
    example: &'static str,
    before: fn() -> Router,
    after: fn() -> Router,
}

impl Guide {
    fn of(name: &str) -> &'static Self {
        let guide = GUIDES.iter().find(|guide| guide.page.name == name);
        guide.unwrap()
    }

    /// Returns the number of the only line of `after` in the example that contains `code`.
    fn line(&self, code: &str) -> String {
        let lines = self.example.lines().enumerate();
        let after = lines.skip_while(|(_, line)| !line.starts_with("pub mod after"));
        let found: Vec<_> = after.filter(|(_, line)| line.contains(code)).collect();
        assert_eq!(found.len(), 1, "{code}");
        format!(
            "examples/migrating/{}.rs:{}:",
            self.page.name,
            found[0].0 + 1
        )
    }
}

#[test]
fn the_code_of_a_page_is_the_code_of_its_example() {
    for Guide { page, example, .. } in GUIDES {
        for (heading, module) in [("# Before", "before"), ("# After", "after")] {
            assert_eq!(
                page.code(heading),
                page::module(example, module),
                "{}",
                page.name
            );
        }
    }
}

#[tokio::test]
async fn clients_receive_what_the_tables_say() {
    check("# On the wire", async |server: &Server, request: &str| {
        answer(server, request).await
    })
    .await;
}

#[tokio::test]
async fn the_log_has_what_the_tables_say() {
    check("# In the log", async |server: &Server, request: &str| {
        let log = Log::start();
        answer(server, request).await;
        events(&log)
    })
    .await;
}

/// Compares each row of a table with the result for the router before and after.
async fn check(heading: &str, result: impl AsyncFn(&Server, &str) -> String) {
    let mut differences = support::Differences::default();
    for guide in GUIDES {
        let before = Server::start_axum((guide.before)()).await;
        let after = Server::start_axum((guide.after)()).await;
        for [request, of_before, of_after] in guide.page.table(heading) {
            for (server, when, expected) in
                [(&before, "before", of_before), (&after, "after", of_after)]
            {
                let case = format!("{} {when}: {request}", guide.page.name);
                differences.note(&case, &result(server, &request).await, &expected);
            }
        }
    }
    differences.assert_none();
}

#[test]
fn every_page_logs_the_requests_that_it_shows() {
    for Guide { page, .. } in GUIDES {
        let requests = |heading| page.table(heading).map(|[request, ..]| request);
        let (wire, log): (Vec<_>, Vec<_>) = (
            requests("# On the wire").collect(),
            requests("# In the log").collect(),
        );
        assert!(wire.len() >= 4, "{}", page.name);
        assert_eq!(wire, log, "{}", page.name);
    }
}

#[tokio::test]
async fn an_event_has_the_line_and_the_type_of_the_error() {
    for (name, request, code, error_type) in [
        (
            "anyhow",
            "GET /prices/fleeb",
            "Ok(price_of(&item)?.to_string())",
            "anyhow::Error",
        ),
        (
            "thiserror",
            r#"POST /orders {"item":2,"people":1}"#,
            "/ order.people",
            "ShopError",
        ),
    ] {
        let guide = Guide::of(name);
        let server = Server::start_axum((guide.after)()).await;
        let log = Log::start();
        answer(&server, request).await;
        let event = log.only_event();
        let location = event.get("tower_exception.location").unwrap();
        assert!(location.contains(&guide.line(code)), "{event:?}");
        assert!(
            event.get("exception.type").unwrap().ends_with(error_type),
            "{event:?}"
        );
        let mut parts = request.split(' ');
        assert_eq!(event.get("http.request.method"), parts.next());
        assert_eq!(event.get("url.path"), parts.next());
        assert_eq!(event.get("http.response.status_code"), Some("500"));
        assert_eq!(event.get("tower_exception.mechanism"), Some("attached"));
    }
}

#[tokio::test]
async fn the_panic_hook_runs_before_and_after() {
    let Guide { before, after, .. } = Guide::of("catch_panic");
    for router in [before, after] {
        let server = Server::start_axum(router()).await;
        let runs = panic_hook_runs();
        answer(&server, "GET /items/7").await;
        assert_eq!(panic_hook_runs(), runs + 1);
    }
}
