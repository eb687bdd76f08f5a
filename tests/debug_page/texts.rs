//! Any text in any part of a failure is shown as text.

use std::{error::Error, fmt};

use http::{HeaderValue, Request, Response};
use proptest::prelude::*;
use tower::{ServiceBuilder, ServiceExt};
use tower_exception::ExceptionLayer;

use crate::{
    BROWSER, Parsed, page_for_tests,
    support::{Received, hostile_text},
};

/// Error with the texts of a whole chain.
#[derive(Clone, Debug)]
struct Texts(String, Option<Box<Texts>>);

impl Texts {
    fn of(texts: &[String]) -> Self {
        let source = match &texts[1..] {
            [] => None,
            rest => Some(Box::new(Self::of(rest))),
        };
        Self(texts[0].clone(), source)
    }
}

impl fmt::Display for Texts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for Texts {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.1.as_deref().map(|error| error as _)
    }
}

/// Returns the page of a failure with these texts, and that of its entry in the list.
async fn pages(texts: &[String], header: &[u8], path: &str) -> [Parsed; 3] {
    let error = Texts::of(texts);
    let page = page_for_tests();
    let history = page.history_layer("/failures");
    let service = ServiceBuilder::new()
        .map_response(|response: Response<_>| response)
        .layer(history)
        .layer(ExceptionLayer::new().with_debug_page(page))
        .service_fn(|_: Request<()>| std::future::ready(Err::<Response<String>, _>(error.clone())));
    let get = async |path: &str| {
        let request = Request::get(path)
            .header("host", "localhost")
            .header("accept", BROWSER);
        let request = request.header("x-any", HeaderValue::from_bytes(header).unwrap());
        let response = service
            .clone()
            .oneshot(request.body(()).unwrap())
            .await
            .unwrap();
        Parsed::of(&Received::of(response).await)
    };
    [
        get(path).await,
        get("/failures/1").await,
        get("/failures").await,
    ]
}

/// HTML cannot express NUL.
fn shown(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

/// Values of headers, which have no control characters except the tab.
fn hostile_header() -> impl Strategy<Value = Vec<u8>> {
    let bytes = prop::collection::vec(prop_oneof![Just(9_u8), 32_u8..127, 128_u8..=255], 0..20);
    let is_allowed = |byte: &u8| *byte == 9 || (*byte >= 32 && *byte != 127);
    let text = hostile_text(20).prop_map(move |text| text.bytes().filter(is_allowed).collect());
    prop_oneof![bytes, text]
}

/// Returns the path and the names of the query, which are all that may be shown of it.
fn any_path() -> impl Strategy<Value = (String, String)> {
    // References to characters would become those.
    let path = "([a-z'()*;:@&=+$,!~-]|&lt;|&amp|&quot;|&copy){0,9}";
    let name = "[a-z'()*;:@+$,!<>\"/?~-]{1,9}";
    (path, name).prop_filter_map("no URI", |(path, name)| {
        let path = format!("/{path}");
        let whole = format!("{path}?{name}=1");
        whole.parse::<http::Uri>().ok()?;
        Some((whole, format!("{path}?{name}=•••")))
    })
}

fn config() -> ProptestConfig {
    ProptestConfig {
        cases: 64,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn any_text_is_shown_as_text(
        texts in prop::collection::vec(hostile_text(20), 2..4),
        header in hostile_header(),
        (path, target) in any_path(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let plain: Vec<String> = (0..texts.len()).map(|number| format!("text {number}")).collect();
        let harmless = runtime.block_on(pages(&plain, b"x", "/a?b=1"));
        let hostile = runtime.block_on(pages(&texts, &header, &path));
        let value = String::from_utf8_lossy(&header).into_owned();
        for page in &hostile[..2] {
            // An unusual URI does not change the page: its path is not the list's.
            prop_assert_eq!(page.text(".hero h1"), shown(&texts[0]));
            let links: Vec<_> = texts.iter().map(|text| shown(text)).collect();
            prop_assert_eq!(page.texts(".chain .text"), links);
            prop_assert_eq!(page.text(".target"), format!("GET {target}"));
            let title = format!("500 Internal Server Error · GET {target}");
            prop_assert_eq!(page.text("title"), title);
            let values = page.texts(".head dd");
            prop_assert_eq!(values.last().unwrap(), &shown(&value));
            let markdown = page.text("textarea");
            prop_assert!(markdown.contains(&shown(&value)));
        }
        for (hostile, harmless) in hostile.iter().zip(&harmless) {
            prop_assert_eq!(hostile.elements(), harmless.elements());
            let events = hostile.0.root_element().descendants().filter_map(|node| {
                node.value().as_element().map(|it| it.attrs().map(|(name, _)| name).collect::<Vec<_>>())
            });
            for names in events {
                prop_assert!(names.iter().all(|name| !name.starts_with("on")), "{:?}", names);
            }
        }
    }
}
