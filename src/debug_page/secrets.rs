//! Blanking of secrets in the head of a request.

use http::{
    HeaderName, HeaderValue, Uri,
    header::{COOKIE, LOCATION, REFERER, SET_COOKIE},
};

/// Stands for a text that may be a secret.
pub(super) const BLANK: &str = "•••";

/// Parts of the names of headers whose values are blanked.
const SECRET_PARTS: [&str; 14] = [
    "auth",
    "cert",
    "cookie",
    "cred",
    "csrf",
    "jwt",
    "key",
    "pass",
    "pwd",
    "secret",
    "session",
    "signature",
    "token",
    "xsrf",
];

/// Beginnings of values that are credentials, in any header.
const SECRET_VALUES: [&str; 5] = ["basic ", "bearer ", "digest ", "eyj", "negotiate "];

/// Blanks the values of a query. The names stay: `page=•••&q=•••`.
pub(super) fn blank_query(query: &str) -> String {
    let parameters = query
        .split('&')
        .map(|parameter| match parameter.split_once('=') {
            Some((name, "")) => format!("{name}="),
            Some((name, _)) => format!("{name}={BLANK}"),
            // A text without a name may be all of the secret.
            None if parameter.is_empty() => String::new(),
            None => BLANK.to_owned(),
        });
    parameters.collect::<Vec<_>>().join("&")
}

/// Returns the value of a header, as far as it is no secret. `also` has further names to blank.
pub(super) fn blank_header(name: &HeaderName, value: &HeaderValue, also: &[HeaderName]) -> String {
    let text = String::from_utf8_lossy(value.as_bytes());
    if name == COOKIE {
        return blank_cookies(&text);
    }
    if name == SET_COOKIE || value.is_sensitive() || also.contains(name) {
        return BLANK.to_owned();
    }
    if name == REFERER || name == LOCATION {
        return blank_uri(&text);
    }
    let is_secret_name = SECRET_PARTS.iter().any(|part| name.as_str().contains(part));
    let start = text.trim_start().to_ascii_lowercase();
    if is_secret_name || SECRET_VALUES.iter().any(|secret| start.starts_with(secret)) {
        return BLANK.to_owned();
    }
    text.into_owned()
}

/// Blanks the values of cookies (RFC 6265, section 4.2.1). The names stay.
fn blank_cookies(text: &str) -> String {
    let cookies = text
        .split(';')
        .map(|cookie| match cookie.trim().split_once('=') {
            Some((name, _)) => format!("{name}={BLANK}"),
            None => BLANK.to_owned(),
        });
    cookies.collect::<Vec<_>>().join("; ")
}

/// Blanks the query, the fragment and the user of a URI.
fn blank_uri(text: &str) -> String {
    let Ok(uri) = text.parse::<Uri>() else {
        return BLANK.to_owned();
    };
    let mut blanked = String::new();
    if let (Some(scheme), Some(host)) = (uri.scheme_str(), uri.host()) {
        blanked += &format!("{scheme}://{host}");
        if let Some(port) = uri.port() {
            blanked += &format!(":{port}");
        }
    }
    blanked += uri.path();
    if let Some(query) = uri.query() {
        blanked += "?";
        blanked += &blank_query(query);
    }
    blanked
}

#[cfg(test)]
mod tests {
    use http::header::{ACCEPT, AUTHORIZATION, HOST};

    use super::*;

    fn shown(name: &str, value: &str) -> String {
        let name: HeaderName = name.parse().unwrap();
        blank_header(&name, &HeaderValue::from_str(value).unwrap(), &[])
    }

    #[test]
    fn the_values_of_a_query_are_blanked() {
        assert_eq!(blank_query("a=1&b=&token"), "a=•••&b=&•••");
        assert_eq!(blank_query("a=1=2&&"), "a=•••&&");
        assert_eq!(blank_query(""), "");
    }

    #[test]
    fn secret_headers_are_blanked() {
        for name in [
            "authorization",
            "proxy-authorization",
            "x-api-key",
            "x-csrf-token",
            "set-cookie",
            "x-amz-security-token",
            "x-session-id",
            "api-secret",
            "x-forwarded-client-cert",
        ] {
            assert_eq!(shown(name, "swordfish"), BLANK, "{name}");
        }
        for value in ["Bearer x", "basic eDp5", "eyJhbGciOi"] {
            assert_eq!(shown("x-other", value), BLANK, "{value}");
        }
        assert_eq!(
            shown("cookie", "id=7; theme=dark;odd"),
            "id=•••; theme=•••; •••"
        );
    }

    #[test]
    fn other_headers_are_shown() {
        assert_eq!(shown(ACCEPT.as_str(), "text/html"), "text/html");
        assert_eq!(shown(HOST.as_str(), "localhost:3000"), "localhost:3000");
    }

    #[test]
    fn a_value_is_blanked_on_request_and_if_it_is_marked() {
        let mut value = HeaderValue::from_static("x");
        assert_eq!(blank_header(&ACCEPT, &value, &[ACCEPT]), BLANK);
        value.set_sensitive(true);
        assert_eq!(blank_header(&HOST, &value, &[AUTHORIZATION]), BLANK);
    }

    #[test]
    fn a_referer_is_shown_without_its_values() {
        let referer = "https://me:swordfish@shop.example:8080/cart?id=swordfish";
        assert_eq!(
            shown("referer", referer),
            "https://shop.example:8080/cart?id=•••"
        );
        assert_eq!(shown("referer", "::"), BLANK);
    }
}
