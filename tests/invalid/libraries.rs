//! The errors of libraries that validate.

use garde::Validate as _;
use tower_exception::HttpException;
use validator::Validate as _;

/// Returns the faults as texts: type, pointer, message.
fn shown(exception: &HttpException) -> Vec<String> {
    assert_eq!(exception.status(), 422);
    let faults = exception.faults().iter();
    faults
        .map(|it| format!("{} {} {}", it.fault_type(), it.pointer(), it.message()))
        .collect()
}

#[derive(validator::Validate)]
struct Order {
    #[validate(length(min = 1, message = "must have a name"))]
    customer: String,
    #[validate(nested)]
    items: Vec<Item>,
    #[validate(nested)]
    first: Item,
}

#[derive(validator::Validate)]
#[validate(schema(function = "fits"))]
struct Item {
    #[validate(range(min = 1))]
    price: u32,
}

fn fits(item: &Item) -> Result<(), validator::ValidationError> {
    match item.price {
        7 => Err(validator::ValidationError::new("unlucky")),
        _ => Ok(()),
    }
}

#[test]
fn errors_of_validator_are_faults_at_their_fields() {
    let order = Order {
        customer: String::new(),
        items: [0, 3, 7].map(|price| Item { price }).into(),
        first: Item { price: 0 },
    };
    let exception = HttpException::from(order.validate().unwrap_err());
    assert_eq!(
        shown(&exception),
        [
            "length /customer must have a name",
            "range /first/price range",
            "range /items/0/price range",
            "unlucky /items/2 unlucky",
        ]
    );
    let source = exception.origin().unwrap();
    assert!(source.is::<validator::ValidationErrors>());
    assert_eq!(exception.location().file(), file!());
}

#[derive(garde::Validate)]
struct Basket {
    #[garde(length(min = 1))]
    customer: String,
    #[garde(dive)]
    items: Vec<Thing>,
    #[garde(dive)]
    named: std::collections::BTreeMap<String, Thing>,
    #[garde(inner(range(max = 3)))]
    counts: Option<u32>,
}

#[derive(garde::Validate)]
struct Thing {
    #[garde(range(min = 1))]
    price: u32,
}

#[test]
fn errors_of_garde_are_faults_at_their_fields() {
    let basket = Basket {
        customer: String::new(),
        items: [1, 0].map(|price| Thing { price }).into(),
        // A name with the characters that separate steps.
        named: [("a.b[0]/~".to_owned(), Thing { price: 0 })].into(),
        counts: Some(4),
    };
    let exception = HttpException::from(basket.validate().unwrap_err());
    assert_eq!(
        shown(&exception),
        [
            "value_error /counts greater than 3",
            "value_error /customer length is lower than 1",
            "value_error /items/1/price lower than 1",
            "value_error /named/a.b[0]~1~0/price lower than 1",
        ]
    );
    assert!(exception.origin().unwrap().is::<garde::Report>());
}
