//! The `Accept` header: which of several media types a client prefers (RFC 9110, section 12.5.1).
//!
//! One pass over the header, in time proportional to its length. Nothing is allocated for each
//! range.

use std::{borrow::Cow, fmt};

use http::HeaderValue;

/// Media type that a server offers.
pub(crate) struct MediaType {
    kind: Vec<u8>,
    subtype: Vec<u8>,
    parameters: Vec<(Vec<u8>, Vec<u8>)>,
}

/// Weight of the greatest preference, in thousandths.
const MAX_WEIGHT: u16 = 1000;

/// Precedence of a media range: 0 for `*/*`, 1 for `text/*`, 2 for `text/html`. Among equals, the
/// number of parameters decides.
type Specificity = (u8, usize);

/// The most specific range that matches an offer, with its weight.
type Match = Option<(Specificity, u16)>;

/// Returns the index of the offer that the lines of the header prefer, or `None` if they accept
/// none, if there are no lines, or if a line is malformed.
///
/// The greatest weight wins. The earlier one of two offers with the same weight wins.
pub(crate) fn preferred<'a, 'b>(
    lines: impl IntoIterator<Item = &'a HeaderValue>,
    offers: impl IntoIterator<Item = &'b MediaType>,
) -> Option<usize> {
    let mut offers: Vec<(&MediaType, Match)> =
        offers.into_iter().map(|offer| (offer, None)).collect();
    for line in lines {
        read_line(line.as_bytes(), &mut offers)?;
    }
    let mut best: Option<(usize, u16)> = None;
    for (index, (_, matched)) in offers.into_iter().enumerate() {
        let weight = matched.map_or(0, |(_, weight)| weight);
        if weight > best.map_or(0, |(_, weight)| weight) {
            best = Some((index, weight));
        }
    }
    best.map(|(index, _)| index)
}

/// Reads one line of the header. Returns `None` if it is malformed.
fn read_line<'a>(line: &'a [u8], offers: &mut [(&MediaType, Match)]) -> Option<()> {
    let mut cursor = Cursor(line);
    let mut parameters: Vec<(&'a [u8], Cow<'a, [u8]>)> = Vec::new();
    loop {
        // A list may have empty elements (section 5.6.1.2).
        cursor.skip_space();
        if cursor.take(b',') {
            continue;
        }
        if cursor.0.is_empty() {
            return Some(());
        }
        let (kind, subtype) = cursor.media_range()?;
        let weight = cursor.parameters(&mut parameters)?;
        if !(cursor.0.is_empty() || cursor.take(b',')) {
            return None;
        }
        for (offer, matched) in &mut *offers {
            let Some(specificity) = offer.specificity_of(kind, subtype, &parameters) else {
                continue;
            };
            // The tuples order by specificity first. Of two equal ranges the greater weight counts.
            *matched = (*matched).max(Some((specificity, weight)));
        }
    }
}

/// Writes the media type without its parameters.
impl fmt::Debug for MediaType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, subtype) = (self.kind.escape_ascii(), self.subtype.escape_ascii());
        write!(f, "{kind}/{subtype}")
    }
}

impl MediaType {
    /// Reads a media type. One that is malformed matches only `*/*`.
    pub(crate) fn read(text: &str) -> Self {
        let mut cursor = Cursor(text.as_bytes());
        let mut parameters = Vec::new();
        let read = cursor.media_range().and_then(|range| {
            cursor.parameters(&mut parameters)?;
            cursor.0.is_empty().then_some(range)
        });
        let (kind, subtype) = read.unwrap_or_default();
        Self {
            kind: kind.to_vec(),
            subtype: subtype.to_vec(),
            parameters: parameters
                .into_iter()
                .map(|(name, value)| (name.to_vec(), value.into_owned()))
                .collect(),
        }
    }

    /// Returns the specificity of a range, or `None` if it does not match.
    fn specificity_of(
        &self,
        kind: &[u8],
        subtype: &[u8],
        parameters: &[(&[u8], Cow<'_, [u8]>)],
    ) -> Option<Specificity> {
        let of_type = match (kind, subtype) {
            (b"*", b"*") => 0,
            (kind, b"*") if kind.eq_ignore_ascii_case(&self.kind) => 1,
            (kind, subtype)
                if kind.eq_ignore_ascii_case(&self.kind)
                    && subtype.eq_ignore_ascii_case(&self.subtype) =>
            {
                2
            }
            _ => return None,
        };
        let has_all = parameters.iter().all(|(name, value)| {
            self.parameters.iter().any(|(own_name, own_value)| {
                own_name.eq_ignore_ascii_case(name) && own_value.eq_ignore_ascii_case(value)
            })
        });
        has_all.then_some((of_type, parameters.len()))
    }
}

/// The rest of a line that is being read.
struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn skip_space(&mut self) {
        let is_space = |byte: &&u8| matches!(byte, b' ' | b'\t');
        let length = self.0.iter().take_while(is_space).count();
        self.0 = &self.0[length..];
    }

    /// Takes one byte if it comes next.
    fn take(&mut self, byte: u8) -> bool {
        match self.0.split_first() {
            Some((first, rest)) if *first == byte => {
                self.0 = rest;
                true
            }
            _ => false,
        }
    }

    /// Takes a token (section 5.6.2).
    fn token(&mut self) -> Option<&'a [u8]> {
        let is_token =
            |byte: &&u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
        let length = self.0.iter().take_while(is_token).count();
        let (token, rest) = self.0.split_at(length);
        self.0 = rest;
        (length > 0).then_some(token)
    }

    fn media_range(&mut self) -> Option<(&'a [u8], &'a [u8])> {
        let kind = self.token()?;
        let subtype = self.take(b'/').then(|| self.token())??;
        (kind != b"*" || subtype == b"*").then_some((kind, subtype))
    }

    /// Takes the parameters of a range. Returns its weight, the parameter `q` at any place (section
    /// 12.4.2).
    fn parameters(&mut self, parameters: &mut Vec<(&'a [u8], Cow<'a, [u8]>)>) -> Option<u16> {
        parameters.clear();
        let mut weight = None;
        loop {
            self.skip_space();
            if !self.take(b';') {
                return Some(weight.unwrap_or(MAX_WEIGHT));
            }
            self.skip_space();
            // A parameter may be empty (section 5.6.6).
            let Some(name) = self.token() else { continue };
            let value = self.take(b'=').then(|| self.value())??;
            if !name.eq_ignore_ascii_case(b"q") {
                parameters.push((name, value));
            } else if weight.replace(weight_of(&value)?).is_some() {
                return None;
            }
        }
    }

    /// Takes a token or a quoted string (section 5.6.4).
    fn value(&mut self) -> Option<Cow<'a, [u8]>> {
        if !self.take(b'"') {
            return self.token().map(Cow::Borrowed);
        }
        let mut value = Vec::new();
        loop {
            let (byte, rest) = self.0.split_first()?;
            self.0 = rest;
            let byte = match byte {
                b'"' => return Some(Cow::Owned(value)),
                b'\\' => {
                    let (escaped, rest) = rest.split_first()?;
                    self.0 = rest;
                    escaped
                }
                byte => byte,
            };
            value.push(*byte);
        }
    }
}

/// Reads a weight as thousandths: `0`, `0.5`, `1.000` (section 12.4.2).
fn weight_of(text: &[u8]) -> Option<u16> {
    let (first, rest) = text.split_first()?;
    let digits = match rest {
        [] => &[],
        [b'.', digits @ ..] if digits.len() <= 3 => digits,
        _ => return None,
    };
    let mut thousandths = 0;
    for at in 0..3 {
        let digit = digits.get(at).unwrap_or(&b'0');
        if !digit.is_ascii_digit() {
            return None;
        }
        thousandths = thousandths * 10 + u16::from(digit - b'0');
    }
    match first {
        b'0' => Some(thousandths),
        b'1' if thousandths == 0 => Some(MAX_WEIGHT),
        _ => None,
    }
}
