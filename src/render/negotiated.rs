//! The form that the client asks for, of several.

use std::fmt;

use http::header::{HeaderValue, VARY};

use super::{
    Negotiable, Render, Rendered,
    accept::{MediaType, preferred},
};
use crate::{caught::Caught, exception::HttpException};

/// Renderer that chooses the form by the request's `Accept` header (RFC 9110, section 12.5.1).
///
/// The form with the greatest weight (`q`) is chosen. The most specific range that matches a form
/// gives its weight. Of several forms with the same weight, the one that was offered first is
/// chosen.
///
/// The first form is the default. A client without a preference receives it (`*/*`, or no `Accept`
/// header). A client that accepts none of the forms receives it too, and so does one whose header
/// is malformed: a 406 in place of the error would help nobody.
///
/// Every response has `vary: accept`. A gRPC client receives a [status](crate::grpc), as under any
/// renderer.
///
/// The layer clones the `Accept` header of each request, and no other part of it.
///
/// ```
/// use tower_exception::{
///     ExceptionLayer,
///     render::{Html, Negotiated, Problem, Text},
/// };
///
/// let forms = Negotiated::new(Problem::new()).or(Html::new()).or(Text);
/// let layer = ExceptionLayer::new().with_renderer(forms);
/// ```
#[must_use = "a renderer does nothing unless a layer has it"]
pub struct Negotiated {
    first: Offer,
    others: Vec<Offer>,
}

struct Offer {
    media_type: MediaType,
    form: Box<dyn Render>,
}

impl Offer {
    fn of(form: impl Negotiable) -> Self {
        Self {
            media_type: MediaType::read(form.media_type()),
            form: Box::new(form),
        }
    }
}

impl Negotiated {
    /// Offers `form`, the default.
    pub fn new(form: impl Negotiable) -> Self {
        Self {
            first: Offer::of(form),
            others: Vec::new(),
        }
    }

    /// Offers another form.
    pub fn or(mut self, form: impl Negotiable) -> Self {
        self.others.push(Offer::of(form));
        self
    }

    fn offers(&self) -> impl Iterator<Item = &Offer> {
        std::iter::once(&self.first).chain(&self.others)
    }
}

impl Render for Negotiated {
    fn render(&self, exception: &HttpException, caught: &Caught) -> Rendered {
        let media_types = self.offers().map(|offer| &offer.media_type);
        let chosen = preferred(caught.request().accept(), media_types);
        let offer = chosen.and_then(|index| self.offers().nth(index));
        let Offer { form, .. } = offer.unwrap_or(&self.first);
        let rendered = form.render(exception, caught);
        rendered.with_header(VARY, HeaderValue::from_static("accept"))
    }

    fn negotiates(&self) -> bool {
        true
    }
}

impl fmt::Debug for Negotiated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let media_types = self.offers().map(|offer| &offer.media_type);
        f.debug_list().entries(media_types).finish()
    }
}
