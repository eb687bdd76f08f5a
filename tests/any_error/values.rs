//! `Error` as a value: its size, its texts, and its types.

use std::{error::Error as StdError, io, mem::size_of, sync::Arc};

use tower_exception::{CloseCode, Error, Exception, HttpException, Result, WebSocketException};

use crate::{
    shop::{OrderError, ShopError, disk, sold_out, taken},
    support::{BoxError, SECRET},
};

#[test]
fn an_error_is_one_pointer_wide_and_goes_anywhere() {
    fn goes_anywhere<T: Send + Sync + 'static>() {}
    goes_anywhere::<Error>();
    assert_eq!(size_of::<Error>(), size_of::<usize>());
    assert_eq!(size_of::<Option<Error>>(), size_of::<usize>());
    assert_eq!(size_of::<Result<()>>(), size_of::<usize>());
}

/// An error whose fields hold secrets that its text does not show.
#[derive(Debug, thiserror::Error)]
#[error("no login")]
struct LoginError {
    password: &'static str,
    #[source]
    source: io::Error,
}

fn login() -> LoginError {
    LoginError {
        password: SECRET,
        source: disk(),
    }
}

#[test]
fn debug_shows_the_text_the_type_and_the_place_and_no_field() {
    let line = line!() + 1;
    let error = Error::from(login());
    let shown = format!("{error:?}");
    assert!(!shown.contains(SECRET), "{shown}");
    assert!(shown.contains("\"no login\""), "{shown}");
    assert!(shown.contains("LoginError"), "{shown}");
    assert!(shown.contains(&format!("{}:{line}", file!())), "{shown}");
    let pretty = format!("{error:#?}");
    assert!(!pretty.contains(SECRET), "{pretty}");
    assert!(format!("{:?}", login()).contains(SECRET));
    assert_eq!(login().password, SECRET);
    for error in [
        Error::from(Box::new(login())),
        anyhow::Error::new(login()).context("the user").into(),
        eyre::Report::new(login()).into(),
        HttpException::conflict("taken").with_source(login()).into(),
        Arc::new(login()).into(),
    ] {
        let shown = format!("{error:?} {error:#?} {error}");
        assert!(!shown.contains(SECRET), "{shown}");
    }
}

#[test]
fn display_shows_the_text_and_with_a_hash_its_sources() {
    let order = || OrderError(anyhow::Error::new(sold_out()).context("the item"));
    for (error, text, sources) in [
        (
            Error::from(sold_out()),
            "plumbus is sold out",
            "plumbus is sold out",
        ),
        (
            order().into(),
            "the order",
            "the order: the item: plumbus is sold out",
        ),
        (taken().into(), "409: taken", "409: taken"),
        (
            ShopError::OnFire.into(),
            "the shop is on fire",
            "the shop is on fire",
        ),
    ] {
        assert_eq!(error.to_string(), text);
        let all = format!("{error:#}");
        assert!(all.starts_with(sources), "{all}");
    }
    let report = Error::from(anyhow::Error::new(sold_out()).context("the item"));
    assert_eq!(report.to_string(), "the item");
    assert!(format!("{report:#}").ends_with("plumbus is sold out"));
}

/// Each wrapping, and whether the type can be moved out of it.
#[test]
fn an_error_downcasts_in_every_wrapping() {
    type Make = fn() -> Error;
    let rows: [(&str, Make, bool); 11] = [
        ("itself", || sold_out().into(), true),
        ("boxed", || BoxError::from(sold_out()).into(), true),
        ("box", || Box::new(sold_out()).into(), true),
        ("arc", || Arc::new(sold_out()).into(), false),
        ("anyhow", || anyhow::Error::new(sold_out()).into(), true),
        (
            "anyhow context",
            || anyhow::Error::new(sold_out()).context("a").into(),
            true,
        ),
        (
            "as context",
            || anyhow::Error::new(disk()).context(sold_out()).into(),
            true,
        ),
        ("eyre", || eyre::Report::new(sold_out()).into(), true),
        (
            "eyre context",
            || eyre::Report::new(sold_out()).wrap_err("a").into(),
            true,
        ),
        (
            "boxed error",
            || Error::from(sold_out()).into_boxed().into(),
            true,
        ),
        (
            "boxed report",
            || {
                Error::from(anyhow::Error::new(sold_out()))
                    .into_boxed()
                    .into()
            },
            true,
        ),
    ];
    for (name, make, moves) in rows {
        assert!(make().is::<ShopError>(), "{name}");
        assert!(!make().is::<HttpException>(), "{name}");
        let error = make();
        assert!(
            matches!(error.downcast_ref(), Some(ShopError::SoldOut("plumbus"))),
            "{name}"
        );
        let error = match error.downcast::<HttpException>() {
            Ok(exception) => panic!("{exception}"),
            Err(error) => error,
        };
        let location = error.location();
        match error.downcast::<ShopError>() {
            Ok(error) => assert!(moves && matches!(error, ShopError::SoldOut("plumbus"))),
            Err(error) => {
                assert!(!moves, "{name}");
                // Nothing of it is lost.
                assert!(error.is::<ShopError>(), "{name}");
                assert_eq!(error.location(), location, "{name}");
            }
        }
    }
}

#[test]
fn an_error_stays_the_exception_that_it_was_made_of() {
    let error = Error::from(taken());
    assert_eq!(error.downcast::<HttpException>().unwrap().status(), 409);
    let closed = WebSocketException::new(CloseCode::POLICY_VIOLATION);
    assert!(Error::from(closed.clone()).is::<WebSocketException>());
    assert!(Error::from(Exception::from(closed)).is::<Exception>());
}

#[test]
fn an_error_is_used_as_the_error_that_it_holds() {
    let error = Error::from(OrderError(anyhow::Error::new(sold_out())));
    // By `Deref`.
    assert!(error.source().unwrap().is::<ShopError>());
    let boxed = error.into_boxed();
    assert_eq!(boxed.to_string(), "the order");
    assert!(boxed.source().is_some_and(<dyn StdError>::is::<OrderError>));
}
