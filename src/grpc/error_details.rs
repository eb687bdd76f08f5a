//! Standard details of a status, of google.rpc's [`error_details.proto`]: a code, a time to wait, a
//! link, faults.
//!
//! [`error_details.proto`]: https://github.com/googleapis/googleapis/blob/master/google/rpc/error_details.proto

use std::time::Duration;

use prost::Message;
use prost_types::Any;
use tonic_types::pb::{
    BadRequest, ErrorInfo, Help, RequestInfo, RetryInfo, bad_request::FieldViolation, help::Link,
};

use crate::exception::{Fault, FaultPosition, HttpException, Supplement};

pub(crate) const ERROR_INFO: &str = "type.googleapis.com/google.rpc.ErrorInfo";
pub(crate) const RETRY_INFO: &str = "type.googleapis.com/google.rpc.RetryInfo";
pub(crate) const BAD_REQUEST: &str = "type.googleapis.com/google.rpc.BadRequest";
pub(crate) const REQUEST_INFO: &str = "type.googleapis.com/google.rpc.RequestInfo";
pub(crate) const HELP: &str = "type.googleapis.com/google.rpc.Help";

/// Name in the metadata of an `ErrorInfo` of a code that its reason does not stand for.
const CODE: &str = "code";

/// Maximum length of a reason, as `error_details.proto` has it, in bytes.
const MAX_REASON_BYTES: usize = 63;

/// Maximum of a `google.protobuf.Duration` in seconds: 10,000 years.
const MAX_DURATION_SECONDS: u64 = 315_576_000_000;

fn pack(type_url: &str, message: &impl Message) -> Any {
    Any {
        type_url: type_url.to_owned(),
        value: message.encode_to_vec(),
    }
}

fn unpack<M: Message + Default>(details: &[Any], type_url: &str) -> Option<M> {
    let detail = details.iter().find(|detail| detail.type_url == type_url)?;
    M::decode(&*detail.value).ok()
}

/// Returns the `ErrorInfo` of the code, if there is one.
pub(crate) fn error_info(supplement: &Supplement) -> Option<Any> {
    let code = supplement.code.as_deref().filter(|code| !code.is_empty())?;
    let reason = reason(code);
    let mut info = ErrorInfo {
        domain: supplement.domain.as_deref().unwrap_or_default().to_owned(),
        ..ErrorInfo::default()
    };
    if code_of_reason(&reason) != code {
        info.metadata.insert(CODE.to_owned(), code.to_owned());
    }
    info.reason = reason;
    Some(pack(ERROR_INFO, &info))
}

/// Returns the `RetryInfo` of the time to wait, if there is one.
pub(crate) fn retry_info(supplement: &Supplement) -> Option<Any> {
    let delay = supplement.retry_after?;
    let delay = delay.min(Duration::from_secs(MAX_DURATION_SECONDS));
    let info = RetryInfo {
        retry_delay: prost_types::Duration::try_from(delay).ok(),
    };
    Some(pack(RETRY_INFO, &info))
}

/// Returns the `Help` that links to the type, if that is an absolute URI.
pub(crate) fn help(supplement: &Supplement) -> Option<Any> {
    let url = supplement.problem_type.as_deref();
    let link = Link {
        description: supplement.title.as_deref().unwrap_or_default().to_owned(),
        url: url.filter(|url| is_linked(url))?.to_owned(),
    };
    Some(pack(HELP, &Help { links: vec![link] }))
}

/// Returns the `BadRequest` of the faults.
pub(crate) fn bad_request(faults: &[Fault]) -> Any {
    let violations = faults.iter().map(|fault| FieldViolation {
        field: fault.path(),
        description: fault.message().to_owned(),
        reason: reason(fault.fault_type()),
        localized_message: None,
    });
    let field_violations = violations.collect();
    pack(BAD_REQUEST, &BadRequest { field_violations })
}

/// Returns the `RequestInfo` of a failure's id.
pub(crate) fn request_info(id: &str) -> Any {
    let info = RequestInfo {
        request_id: id.to_owned(),
        ..RequestInfo::default()
    };
    pack(REQUEST_INFO, &info)
}

/// Returns whether a type is an absolute URI (RFC 3986, section 4.3) that says more than the status
/// (RFC 9457, section 4.2.1).
fn is_linked(uri: &str) -> bool {
    let Some((scheme, rest)) = uri.split_once(':') else {
        return false;
    };
    let starts_with_letter = scheme.starts_with(|char: char| char.is_ascii_alphabetic());
    let is_scheme = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    starts_with_letter
        && scheme.bytes().all(is_scheme)
        && !rest.is_empty()
        && uri.bytes().all(|byte| byte.is_ascii_graphic())
        && !uri.eq_ignore_ascii_case("about:blank")
}

/// Converts a code to the form of a reason, `[A-Z][A-Z0-9_]+[A-Z0-9]`.
///
/// Letters become upper case. A `_` stands for everything else, and separates the words of
/// `camelCase`. A code that does not begin with a letter gets `E_` before it.
fn reason(code: &str) -> String {
    let mut reason = String::with_capacity(code.len());
    let mut was_lower = false;
    for char in code.chars() {
        let is_word = char.is_ascii_alphanumeric();
        let separates = !is_word || was_lower && char.is_ascii_uppercase();
        if separates && !reason.is_empty() && !reason.ends_with('_') {
            reason.push('_');
        }
        if is_word {
            reason.push(char.to_ascii_uppercase());
        }
        was_lower = is_word && !char.is_ascii_uppercase();
    }
    if !reason.starts_with(|char: char| char.is_ascii_uppercase()) {
        reason.insert_str(0, "E_");
    }
    // All of it is ASCII.
    reason.truncate(MAX_REASON_BYTES);
    reason.truncate(reason.trim_end_matches('_').len());
    reason
}

/// Converts a reason to the kebab case of a code.
fn code_of_reason(reason: &str) -> String {
    reason.to_ascii_lowercase().replace('_', "-")
}

/// Adds to `exception` the code, the time to wait, the faults, and the type with its title, as far
/// as the details have them. Also returns the domain of the code.
///
/// A `Help` with several links names no type.
pub(crate) fn read(
    details: &[Any],
    mut exception: HttpException,
) -> (HttpException, Option<Box<str>>) {
    let links = unpack(details, HELP).map_or(Vec::new(), |help: Help| help.links);
    if let [Link { description, url }] = &links[..] {
        if is_linked(url) {
            exception = exception.with_type(url.clone());
            if !description.is_empty() {
                exception = exception.with_title(description.clone());
            }
        }
    }
    let delay = unpack(details, RETRY_INFO).and_then(|info: RetryInfo| info.retry_delay);
    if let Some(delay) = delay.and_then(|delay| Duration::try_from(delay).ok()) {
        exception = exception.with_retry_after(delay);
    }
    let bad_request: BadRequest = unpack(details, BAD_REQUEST).unwrap_or_default();
    for violation in bad_request.field_violations {
        let mut fault = Fault::new(violation.description);
        if !violation.reason.is_empty() {
            fault = fault.with_type(violation.reason.to_ascii_lowercase());
        }
        exception = exception.with_fault(fault, FaultPosition::of_path(&violation.field));
    }
    let info: Option<ErrorInfo> = unpack(details, ERROR_INFO);
    let Some(mut info) = info.filter(|info| !info.reason.is_empty()) else {
        return (exception, None);
    };
    let code = match info.metadata.remove(CODE) {
        Some(code) if reason(&code) == info.reason => code,
        _ => code_of_reason(&info.reason),
    };
    let domain = (!info.domain.is_empty()).then(|| info.domain.into());
    (exception.with_code(code), domain)
}

/// Sets the domain of each `ErrorInfo` that has none. Returns whether there was one.
pub(crate) fn set_domain(details: &mut [Any], domain: &str) -> bool {
    let mut is_set = false;
    for detail in details.iter_mut().filter(|it| it.type_url == ERROR_INFO) {
        let info = ErrorInfo::decode(&*detail.value).ok();
        if let Some(mut info) = info.filter(|info| info.domain.is_empty()) {
            info.domain = domain.to_owned();
            *detail = pack(ERROR_INFO, &info);
            is_set = true;
        }
    }
    is_set
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_code_becomes_a_reason_in_the_form_of_error_details() {
        for (code, expected) in [
            ("item-missing", "ITEM_MISSING"),
            ("ITEM_MISSING", "ITEM_MISSING"),
            ("itemMissing", "ITEM_MISSING"),
            ("item.missing/v2", "ITEM_MISSING_V2"),
            ("HTTPError", "HTTPERROR"),
            ("--item--missing--", "ITEM_MISSING"),
            ("1001", "E_1001"),
            ("\u{fc}ber", "BER"),
            ("\u{fc}", "E"),
        ] {
            assert_eq!(reason(code), expected, "{code}");
        }
        assert_eq!(reason(&"a".repeat(100)), "A".repeat(63));
        assert_eq!(reason(&"a-".repeat(100)).len(), 63);
    }

    #[test]
    fn a_type_is_linked_if_it_is_an_absolute_uri() {
        for (uri, expected) in [
            ("https://example.com/problems/x#y", true),
            ("urn:problem:x", true),
            ("tag:example.com,2026:x", true),
            ("about:blank", false),
            ("About:Blank", false),
            ("/problems/x", false),
            ("x", false),
            ("", false),
            ("https:", false),
            (":x", false),
            ("1s:x", false),
            ("./a:b", false),
            ("https://example.com/a b", false),
            ("https://example.com/\u{fc}", false),
        ] {
            assert_eq!(is_linked(uri), expected, "{uri}");
        }
    }

    fn details_of(exception: &HttpException) -> Vec<Any> {
        let supplement = exception.supplement().unwrap();
        let details = [
            error_info(supplement),
            retry_info(supplement),
            help(supplement),
        ];
        details.into_iter().flatten().collect()
    }

    #[test]
    fn an_own_domain_stays_and_a_missing_one_is_set() {
        let exception = HttpException::gone("sold out").with_code("sold-out");
        let mut details = details_of(&exception);
        assert!(set_domain(&mut details, "shop.example"));
        let (read, domain) = read(&details, HttpException::gone(""));
        assert_eq!(read.code(), Some("sold-out"));
        assert_eq!(domain.as_deref(), Some("shop.example"));
        assert!(!set_domain(&mut details, "other.example"));
        assert!(!set_domain(&mut [], "other.example"));
    }

    #[test]
    fn metadata_of_another_server_is_not_taken_for_the_code() {
        let mut info = ErrorInfo {
            reason: "API_DISABLED".to_owned(),
            ..ErrorInfo::default()
        };
        info.metadata.insert(CODE.to_owned(), "7".to_owned());
        let (read, _) = read(&[pack(ERROR_INFO, &info)], HttpException::gone(""));
        assert_eq!(read.code(), Some("api-disabled"));
    }

    #[test]
    fn malformed_and_ambiguous_details_say_nothing() {
        let link = |url: &str| Link {
            description: "read".to_owned(),
            url: url.to_owned(),
        };
        let negative = prost_types::Duration {
            seconds: -1,
            nanos: 0,
        };
        let any = |type_url: &str| Any {
            type_url: type_url.to_owned(),
            value: vec![0xff],
        };
        let links = vec![link("https://a.example"), link("https://b.example")];
        for detail in [
            any(ERROR_INFO),
            any(RETRY_INFO),
            any(HELP),
            pack(ERROR_INFO, &ErrorInfo::default()),
            pack(RETRY_INFO, &RetryInfo::default()),
            pack(
                RETRY_INFO,
                &RetryInfo {
                    retry_delay: Some(negative),
                },
            ),
            pack(HELP, &Help { links }),
            pack(
                HELP,
                &Help {
                    links: vec![link("javascript")],
                },
            ),
        ] {
            let (read, domain) = read(std::slice::from_ref(&detail), HttpException::gone(""));
            assert!(read.supplement().is_none(), "{detail:?}");
            assert!(domain.is_none());
        }
    }

    #[test]
    fn a_time_beyond_the_range_of_protocol_buffers_is_10_000_years() {
        let forever = HttpException::gone("").with_retry_after(Duration::MAX);
        let (read, _) = read(&details_of(&forever), HttpException::gone(""));
        assert_eq!(
            read.retry_after(),
            Some(Duration::from_secs(315_576_000_000))
        );
    }

    proptest! {
        #[test]
        fn every_reason_has_the_form_of_error_details(code in "\\PC{1,80}") {
            let reason = reason(&code);
            prop_assert!(reason.len() <= MAX_REASON_BYTES);
            prop_assert!(reason.starts_with(|char: char| char.is_ascii_uppercase()));
            prop_assert!(!reason.ends_with('_'));
            let is_of_reason = |byte: u8| matches!(byte, b'A'..=b'Z' | b'0'..=b'9' | b'_');
            prop_assert!(reason.bytes().all(is_of_reason));
        }

        #[test]
        fn every_part_is_read_back(
            code in ".{1,80}",
            title in ".{1,80}",
            path in "[a-z/]{0,80}",
            seconds in 0..MAX_DURATION_SECONDS,
            nanos in 0_u32..1_000_000_000,
        ) {
            let delay = Duration::new(seconds, nanos);
            let exception = HttpException::gone("")
                .with_code(code)
                .with_title(title)
                .with_type(format!("https://example.com/{path}"))
                .with_retry_after(delay);
            let (read, domain) = read(&details_of(&exception), HttpException::gone(""));
            prop_assert_eq!(read.code(), exception.code());
            prop_assert_eq!(read.title(), exception.title());
            prop_assert_eq!(read.problem_type(), exception.problem_type());
            prop_assert_eq!(read.retry_after(), Some(delay));
            prop_assert_eq!(domain, None);
        }
    }
}
