//! garde: a report of invalid values as a list of faults.

use garde::{Path, Report};

use crate::exception::{Fault, FaultPosition, HttpException, RequestPart, Step};

/// Converts a report into a 422 that lists its errors as faults of the body.
///
/// The messages are those of the report. It is the source of the exception.
///
/// ```
/// use garde::Validate;
/// use tower_exception::HttpException;
///
/// #[derive(Validate)]
/// struct Item {
///     #[garde(range(min = 1))]
///     price: u32,
/// }
///
/// fn accept(item: Item) -> Result<Item, HttpException> {
///     item.validate()?;
///     Ok(item)
/// }
///
/// let exception = accept(Item { price: 0 }).err().unwrap();
/// assert_eq!(exception.to_string(), "422: price: lower than 1");
/// ```
#[cfg_attr(docsrs, doc(cfg(feature = "garde")))]
impl From<Report> for HttpException {
    #[track_caller]
    fn from(report: Report) -> Self {
        let invalid = Self::invalid();
        let exception = report.iter().fold(invalid, |exception, (path, error)| {
            let position = FaultPosition::new(RequestPart::Body, steps(path));
            exception.with_fault(Fault::new(error.message().to_owned()), position)
        });
        exception.with_source(report)
    }
}

/// Reads the steps of a path, which are public in its serialised form only: pairs of a kind and a
/// text.
fn steps(path: &Path) -> Vec<Step> {
    let json = serde_json::to_value(path);
    let pairs: Vec<(String, String)> = json.and_then(serde_json::from_value).unwrap_or_default();
    let step = |(kind, text): (String, String)| match (&*kind, text.parse()) {
        ("none", _) => None,
        ("index", Ok(index)) => Some(Step::Index(index)),
        _ => Some(Step::Key(text.into())),
    };
    pairs.into_iter().filter_map(step).collect()
}
