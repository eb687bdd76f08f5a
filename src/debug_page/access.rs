//! Access to the page: requests from this machine, for a name of this machine.

use std::net::{IpAddr, SocketAddr};

#[cfg(feature = "axum")]
use axum::extract::ConnectInfo;
use http::{
    HeaderMap, HeaderName, Uri,
    header::{FORWARDED, HOST, ORIGIN},
    uri::Authority,
};

use crate::caught::{Captures, RequestHead};

/// Headers in which a proxy says the address of its client.
const CLIENTS: [HeaderName; 2] = [
    HeaderName::from_static("x-forwarded-for"),
    HeaderName::from_static("x-real-ip"),
];

/// Parts of a request that decide whether it may see the page.
pub(super) struct Visitor<'a> {
    pub(super) uri: &'a Uri,
    pub(super) headers: Option<&'a HeaderMap>,
    /// `None` if the server has not put it into the request.
    pub(super) peer: Option<IpAddr>,
}

impl<'a> Visitor<'a> {
    pub(super) fn of(request: &'a RequestHead) -> Self {
        Self {
            uri: request.uri(),
            headers: request.headers(),
            peer: peer_of(|| request.get(), || request.get()),
        }
    }

    /// Returns the visitor of a request that has these parts.
    pub(super) fn of_request<B>(request: &'a http::Request<B>) -> Self {
        let extensions = request.extensions();
        Self {
            uri: request.uri(),
            headers: Some(request.headers()),
            peer: peer_of(|| extensions.get(), || extensions.get()),
        }
    }

    /// Returns whether the page may be shown. `hosts` has names besides those of this machine.
    pub(super) fn is_admitted(&self, hosts: &[String]) -> bool {
        let is_here = |host: &str| is_loopback_host(host) || hosts.iter().any(|it| it == host);
        if self.peer.is_some_and(|peer| !is_loopback(peer)) {
            return false;
        }
        let Some(headers) = self.headers else {
            return false;
        };
        // Another name that resolves to this machine is one that an attacker has chosen.
        let host = match (self.uri.authority(), headers.get(HOST)) {
            (Some(authority), _) => Some(authority.clone()),
            (None, Some(host)) => match Authority::try_from(host.as_bytes()) {
                Ok(host) => Some(host),
                Err(_) => return false,
            },
            (None, None) => None,
        };
        let is_for_here = host.is_some_and(|host| is_here(host.host()));
        // A page of another site must not read it, even if the application's CORS allows that.
        let is_of_here = headers.get_all(ORIGIN).iter().all(|origin| {
            let origin = origin
                .to_str()
                .ok()
                .and_then(|origin| origin.parse::<Uri>().ok());
            origin.is_some_and(|origin| origin.host().is_some_and(is_here))
        });
        is_for_here && is_of_here && !is_forwarded(headers)
    }
}

/// Returns whether a proxy says that its client is not on this machine.
fn is_forwarded(headers: &HeaderMap) -> bool {
    let is_here = |address: &str| address.trim().parse::<IpAddr>().is_ok_and(is_loopback);
    let is_elsewhere = CLIENTS.iter().any(|name| {
        let mut values = headers.get_all(name).iter();
        values.any(|value| !value.to_str().unwrap_or_default().split(',').all(is_here))
    });
    is_elsewhere || headers.contains_key(FORWARDED)
}

fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

/// Returns whether a name is one of this machine (RFC 6761, section 6.3) or a loopback address.
fn is_loopback_host(host: &str) -> bool {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    let address = host
        .trim_start_matches('[')
        .trim_end_matches(']')
        .parse::<IpAddr>();
    host == "localhost" || host.ends_with(".localhost") || address.is_ok_and(is_loopback)
}

#[cfg(feature = "axum")]
type AxumPeer = ConnectInfo<SocketAddr>;
#[cfg(not(feature = "axum"))]
type AxumPeer = std::convert::Infallible;

/// Returns the address of the peer, which axum or the application has put into the request.
fn peer_of<'a>(
    of_axum: impl FnOnce() -> Option<&'a AxumPeer>,
    plain: impl FnOnce() -> Option<&'a SocketAddr>,
) -> Option<IpAddr> {
    #[cfg(feature = "axum")]
    if let Some(ConnectInfo(address)) = of_axum() {
        return Some(address.ip());
    }
    #[cfg(not(feature = "axum"))]
    let _ = of_axum;
    plain().map(SocketAddr::ip)
}

/// Captures the address of the peer of each request.
pub(super) fn capture_peer(captures: &mut Captures) {
    #[cfg(feature = "axum")]
    captures.add::<ConnectInfo<SocketAddr>>();
    captures.add::<SocketAddr>();
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Admits a request of this peer with these headers.
    fn is_admitted(peer: Option<&str>, headers: &[(&str, &str)]) -> bool {
        let mut request = http::Request::get("/");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut request = request.body(()).unwrap();
        if let Some(peer) = peer {
            let peer: SocketAddr = peer.parse().unwrap();
            request.extensions_mut().insert(peer);
        }
        Visitor::of_request(&request).is_admitted(&["shop.test".to_owned()])
    }

    #[test]
    fn a_peer_on_this_machine_is_admitted() {
        for peer in [
            "127.0.0.1:5",
            "127.9.9.9:5",
            "[::1]:5",
            "[::ffff:127.0.0.1]:5",
        ] {
            assert!(
                is_admitted(Some(peer), &[("host", "localhost:3000")]),
                "{peer}"
            );
        }
        for peer in [
            "192.168.0.7:5",
            "10.0.0.1:5",
            "[fe80::1]:5",
            "[::ffff:10.0.0.1]:5",
        ] {
            assert!(
                !is_admitted(Some(peer), &[("host", "localhost:3000")]),
                "{peer}"
            );
        }
    }

    #[test]
    fn an_unknown_peer_is_admitted_for_a_name_of_this_machine() {
        for host in [
            "localhost",
            "LOCALHOST:80",
            "a.localhost",
            "127.0.0.1:3",
            "[::1]:3",
            "shop.test",
        ] {
            assert!(is_admitted(None, &[("host", host)]), "{host}");
        }
        for host in [
            "shop.example",
            "localhost.example",
            "192.168.0.7:3000",
            "",
            "evil@",
        ] {
            assert!(!is_admitted(None, &[("host", host)]), "{host}");
            assert!(
                !is_admitted(Some("127.0.0.1:5"), &[("host", host)]),
                "{host}"
            );
        }
        assert!(!is_admitted(None, &[]));
    }

    #[test]
    fn a_page_of_another_site_is_not_admitted() {
        let host = ("host", "localhost");
        assert!(is_admitted(
            None,
            &[host, ("origin", "http://localhost:5173")]
        ));
        assert!(!is_admitted(
            None,
            &[host, ("origin", "https://evil.example")]
        ));
        assert!(!is_admitted(None, &[host, ("origin", "null")]));
    }

    #[test]
    fn the_client_of_a_proxy_is_admitted_on_this_machine_only() {
        let host = ("host", "localhost");
        assert!(is_admitted(
            None,
            &[host, ("x-forwarded-for", "127.0.0.1, ::1")]
        ));
        assert!(!is_admitted(
            None,
            &[host, ("x-forwarded-for", "127.0.0.1, 203.0.113.7")]
        ));
        assert!(!is_admitted(None, &[host, ("x-forwarded-for", "unknown")]));
        assert!(!is_admitted(None, &[host, ("x-real-ip", "203.0.113.7")]));
        assert!(!is_admitted(
            None,
            &[host, ("forwarded", "for=203.0.113.7")]
        ));
    }
}
