//! Details of a status: JSON, as the protocol buffers that stand for it, and google.rpc's own.

use bytes::Bytes;
use prost::Message;
use prost_types::{Any, ListValue, Struct, value::Kind};
use serde_json::{Number, Value, value::RawValue};
use tonic_types::Status;

use super::{
    code::GrpcCode,
    error_details::{
        self, BAD_REQUEST, ERROR_INFO, HELP, REQUEST_INFO, RETRY_INFO, bad_request, error_info,
        help, request_info, retry_info, set_domain,
    },
};
use crate::{
    diagnostics,
    exception::{Detail, Fault, HttpException},
};

const STRUCT: &str = "type.googleapis.com/google.protobuf.Struct";
const LIST: &str = "type.googleapis.com/google.protobuf.ListValue";
const VALUE: &str = "type.googleapis.com/google.protobuf.Value";

/// Details of the status that a gRPC client receives for an exception.
pub(crate) struct Details<'a> {
    /// The JSON that is the exception's detail.
    json: Option<Any>,
    /// `ErrorInfo` and `RetryInfo`.
    standard: Vec<Any>,
    help: Option<Any>,
    /// Faults that the list of them has room for.
    faults: &'a [Fault],
    /// Details of the status that the exception was made of, of other types.
    others: Vec<Any>,
    /// The `Struct` of the members.
    members: Option<Any>,
}

impl<'a> Details<'a> {
    /// Returns the details of `exception`. `others` are those of the status that it was made of.
    pub(crate) fn of(exception: &'a HttpException, others: Vec<Any>) -> Self {
        let json = match exception.own_detail() {
            Detail::Json(json) => of_json(json),
            Detail::Canonical | Detail::Text(_) => None,
        };
        let supplement = exception.supplement();
        let standard = [
            supplement.and_then(error_info),
            supplement.and_then(retry_info),
        ];
        Self {
            json,
            standard: standard.into_iter().flatten().collect(),
            help: supplement.and_then(help),
            faults: exception.faults(),
            others,
            members: of_members(exception.members()),
        }
    }

    /// Encodes a `google.rpc.Status` with these details.
    ///
    /// Clients refuse a status if the code or the message in its details is not the status's own.
    pub(crate) fn encode(&self, code: GrpcCode, message: &str) -> Bytes {
        // The first JSON is the detail, so that it has a substitute if only the members are JSON.
        let null = || pack(Kind::NullValue(0));
        let json = self.json.clone();
        let json = json.or_else(|| self.members.as_ref().map(|_| null()));
        let faults = (!self.faults.is_empty()).then(|| bad_request(self.faults));
        let status = Status {
            code: code.as_i32(),
            message: message.to_owned(),
            details: json
                .iter()
                .chain(&self.standard)
                .chain(&faults)
                .chain(&self.help)
                .chain(&self.others)
                .chain(&self.members)
                .cloned()
                .collect(),
        };
        status.encode_to_vec().into()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.json.is_none()
            && self.standard.is_empty()
            && self.help.is_none()
            && self.faults.is_empty()
            && self.others.is_empty()
            && self.members.is_none()
    }

    /// Drops the least important part. Returns its name.
    pub(crate) fn drop_least(&mut self) -> &'static str {
        if self.members.take().is_some() {
            "the members"
        } else if self.json.take().is_some() {
            // The message has it as text.
            "the JSON"
        } else if !self.others.is_empty() {
            self.others.clear();
            "the details of the original status"
        } else if self.help.take().is_some() {
            "the type"
        } else if !self.faults.is_empty() {
            // The first half may fit.
            self.faults = &self.faults[..self.faults.len() / 2];
            "the last faults"
        } else {
            self.standard.clear();
            "the code and the time to wait"
        }
    }
}

/// Converts JSON to a detail: an object to a `Struct`, an array to a `ListValue`, any other value
/// to a `Value`.
///
/// Returns `None` if the JSON contains a number that no `f64` holds or a lone surrogate. Also
/// returns `None` if it is nested deeper than decoders go, which is a hundred messages.
fn of_json(json: &RawValue) -> Option<Any> {
    let json = serde_json::from_str(json.get()).ok()?;
    let detail = pack(kind(json));
    unpack(&detail).is_some().then_some(detail)
}

/// Converts members to a `Struct`, except those that [`of_json`] does not convert.
fn of_members<'a>(members: impl Iterator<Item = (&'a str, &'a RawValue)>) -> Option<Any> {
    let mut all = Struct::default();
    for (name, json) in members {
        let one = serde_json::from_str(json.get()).map(|json: Value| {
            let fields = [(name.to_owned(), kind(json).into())];
            let fields = fields.into_iter().collect();
            Struct { fields }
        });
        match one.map(|one| pack(Kind::StructValue(one))) {
            Ok(packed) => match unpack(&packed) {
                Some(Kind::StructValue(one)) => all.fields.extend(one.fields),
                _ => diagnostics::member_dropped(name),
            },
            Err(_) => diagnostics::member_dropped(name),
        }
    }
    (!all.fields.is_empty()).then(|| pack(Kind::StructValue(all)))
}

fn pack(kind: Kind) -> Any {
    let (type_url, value) = match kind {
        Kind::StructValue(fields) => (STRUCT, fields.encode_to_vec()),
        Kind::ListValue(list) => (LIST, list.encode_to_vec()),
        kind => (VALUE, prost_types::Value::from(kind).encode_to_vec()),
    };
    Any {
        type_url: type_url.to_owned(),
        value,
    }
}

/// Returns the detail in an encoded `google.rpc.Status`: its first JSON, unless that is the
/// substitute of a text.
pub(crate) fn detail_of(status: &[u8]) -> Option<Value> {
    let status = Status::decode(status).ok()?;
    let mut values = status.details.iter().filter_map(unpack);
    match (values.next()?, values.next()) {
        (Kind::NullValue(_), Some(_)) => None,
        (detail, _) => Some(json(detail)),
    }
}

/// Adds to `exception` everything that the details in an encoded `google.rpc.Status` have in
/// addition to the detail.
pub(crate) fn supplement(exception: HttpException, status: &[u8]) -> HttpException {
    let Ok(status) = Status::decode(status) else {
        return exception;
    };
    let (mut exception, domain) = error_details::read(&status.details, exception);
    // The first JSON is the detail.
    let members = status.details.iter().filter_map(unpack).nth(1);
    if let Some(Kind::StructValue(members)) = members {
        for (name, value) in members.fields {
            let value = value.kind.map_or(Value::Null, json);
            exception.set_member(name, &value);
        }
    }
    exception.mark_supplement(domain);
    exception
}

/// Returns the details in an encoded `google.rpc.Status` that no part of an exception stands for.
pub(crate) fn others(status: &[u8]) -> Vec<Any> {
    let Ok(mut status) = Status::decode(status) else {
        return Vec::new();
    };
    let known = [
        STRUCT,
        LIST,
        VALUE,
        ERROR_INFO,
        RETRY_INFO,
        BAD_REQUEST,
        HELP,
    ];
    status
        .details
        .retain(|detail| !known.contains(&&*detail.type_url));
    status.details
}

/// Sets the domain of each `ErrorInfo` without one in an encoded `google.rpc.Status`.
///
/// Returns `None` if there is no such `ErrorInfo`.
pub(crate) fn with_domain(status: &[u8], domain: &str) -> Option<Vec<u8>> {
    let mut status = Status::decode(status).ok()?;
    set_domain(&mut status.details, domain).then(|| status.encode_to_vec())
}

/// Adds the `RequestInfo` of `id` to an encoded `google.rpc.Status`. If that is empty, it gets this
/// code and message. An id that is there is replaced.
///
/// Returns `None` if the details are malformed.
pub(crate) fn with_request_info(
    status: &[u8],
    code: i32,
    message: impl FnOnce() -> String,
    id: &str,
) -> Option<Vec<u8>> {
    let mut status = match status.is_empty() {
        true => Status {
            code,
            message: message(),
            details: Vec::new(),
        },
        false => Status::decode(status).ok()?,
    };
    status
        .details
        .retain(|detail| detail.type_url != REQUEST_INFO);
    status.details.push(request_info(id));
    Some(status.encode_to_vec())
}

fn unpack(detail: &Any) -> Option<Kind> {
    let value = &*detail.value;
    match &*detail.type_url {
        STRUCT => Struct::decode(value).ok().map(Kind::StructValue),
        LIST => ListValue::decode(value).ok().map(Kind::ListValue),
        VALUE => prost_types::Value::decode(value).ok()?.kind,
        _ => None,
    }
}

fn kind(json: Value) -> Kind {
    match json {
        Value::Null => Kind::NullValue(0),
        Value::Bool(bool) => Kind::BoolValue(bool),
        Value::Number(number) => Kind::NumberValue(number.as_f64().unwrap_or(f64::NAN)),
        Value::String(text) => Kind::StringValue(text),
        Value::Array(items) => Kind::ListValue(ListValue {
            values: items.into_iter().map(|item| kind(item).into()).collect(),
        }),
        Value::Object(fields) => Kind::StructValue(Struct {
            fields: fields
                .into_iter()
                .map(|(name, value)| (name, kind(value).into()))
                .collect(),
        }),
    }
}

fn json(kind: Kind) -> Value {
    let of = |value: prost_types::Value| value.kind.map_or(Value::Null, json);
    match kind {
        Kind::NullValue(_) => Value::Null,
        Kind::BoolValue(bool) => Value::Bool(bool),
        Kind::NumberValue(number) => json_number(number),
        Kind::StringValue(text) => Value::String(text),
        Kind::ListValue(list) => list.values.into_iter().map(of).collect(),
        Kind::StructValue(fields) => fields
            .fields
            .into_iter()
            .map(|(name, value)| (name, of(value)))
            .collect(),
    }
}

/// Converts a number of a `Struct`, all of whose numbers are doubles.
///
/// A number without a fraction becomes an integer, as far as doubles are exact.
fn json_number(number: f64) -> Value {
    /// 2^53. Above it a double skips integers, so the original integer cannot be known.
    const MAX_EXACT_INTEGER: f64 = 9_007_199_254_740_992.0;
    if number.fract() == 0.0 && number.abs() <= MAX_EXACT_INTEGER {
        return Value::from(number as i64);
    }
    Number::from_f64(number).map_or(Value::Null, Value::Number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn numbers_are_integers_as_far_as_doubles_are_exact() {
        for (number, expected) in [
            (7.0, json!(7)),
            (-7.0, json!(-7)),
            (0.5, json!(0.5)),
            (-1e16, json!(-1e16)),
            (9_007_199_254_740_992.0, json!(9_007_199_254_740_992_i64)),
            (9_007_199_254_740_994.0, json!(9_007_199_254_740_994.0)),
            (f64::NAN, Value::Null),
        ] {
            assert_eq!(json_number(number), expected, "{number}");
        }
    }
}
