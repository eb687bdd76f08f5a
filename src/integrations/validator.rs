//! validator: errors of invalid fields as a list of faults.

use validator::{ValidationError, ValidationErrors, ValidationErrorsKind};

use crate::exception::{Fault, FaultPosition, HttpException, RequestPart, Step};

/// Field that validator sets for the error of a struct as a whole.
const WHOLE_STRUCT: &str = "__all__";

/// Converts errors into a 422 that lists them as faults of the body, in the order of the fields'
/// names.
///
/// The type of a fault is the code of its error. The message is that of the error, or the code if
/// it has none. The values that are refused are not sent. The errors are the source of the
/// exception.
///
/// ```
/// use tower_exception::HttpException;
/// use validator::Validate;
///
/// #[derive(Validate)]
/// struct Item {
///     #[validate(range(min = 1, message = "must be positive"))]
///     price: u32,
/// }
///
/// fn accept(item: Item) -> Result<Item, HttpException> {
///     item.validate()?;
///     Ok(item)
/// }
///
/// let exception = accept(Item { price: 0 }).err().unwrap();
/// assert_eq!(exception.to_string(), "422: price: must be positive");
/// assert_eq!(exception.faults()[0].fault_type(), "range");
/// ```
#[cfg_attr(docsrs, doc(cfg(feature = "validator")))]
impl From<ValidationErrors> for HttpException {
    #[track_caller]
    fn from(errors: ValidationErrors) -> Self {
        add(Self::invalid(), &errors, &mut Vec::new()).with_source(errors)
    }
}

/// Adds the errors of the struct to which `steps` lead.
fn add(
    mut exception: HttpException,
    errors: &ValidationErrors,
    steps: &mut Vec<Step>,
) -> HttpException {
    let mut fields: Vec<_> = errors.errors().iter().collect();
    fields.sort_unstable_by_key(|(name, _)| *name);
    for (name, kind) in fields {
        let depth = steps.len();
        if name != WHOLE_STRUCT {
            steps.push(Step::Key(name.as_ref().into()));
        }
        exception = match kind {
            ValidationErrorsKind::Field(errors) => {
                let position = || FaultPosition::new(RequestPart::Body, steps.clone());
                errors.iter().fold(exception, |exception, error| {
                    exception.with_fault(fault(error), position())
                })
            }
            ValidationErrorsKind::Struct(errors) => add(exception, errors, steps),
            ValidationErrorsKind::List(elements) => {
                elements
                    .iter()
                    .fold(exception, |exception, (index, errors)| {
                        steps.push(Step::Index(*index));
                        let exception = add(exception, errors, steps);
                        steps.pop();
                        exception
                    })
            }
        };
        steps.truncate(depth);
    }
    exception
}

fn fault(error: &ValidationError) -> Fault {
    let message = error.message.as_ref().unwrap_or(&error.code);
    Fault::new(message.clone()).with_type(error.code.clone())
}
