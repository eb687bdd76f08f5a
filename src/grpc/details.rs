//! JSON in the details of a status, as the protocol buffers that stand for JSON.

use bytes::Bytes;
use prost::Message;
use prost_types::{Any, ListValue, Struct, value::Kind};
use serde_json::{Number, Value, value::RawValue};
use tonic_types::Status;

use super::code::GrpcCode;

const STRUCT: &str = "type.googleapis.com/google.protobuf.Struct";
const LIST: &str = "type.googleapis.com/google.protobuf.ListValue";
const VALUE: &str = "type.googleapis.com/google.protobuf.Value";

/// Converts JSON to a detail: an object to a `Struct`, an array to a `ListValue`, any other value
/// to a `Value`.
///
/// Returns `None` if the JSON contains a number that no `f64` holds or a lone surrogate. Also
/// returns `None` if it is nested deeper than decoders go, which is a hundred messages.
pub(crate) fn of_json(json: &RawValue) -> Option<Any> {
    let json = serde_json::from_str(json.get()).ok()?;
    let (type_url, value) = match kind(json) {
        Kind::StructValue(fields) => (STRUCT, fields.encode_to_vec()),
        Kind::ListValue(list) => (LIST, list.encode_to_vec()),
        kind => (VALUE, prost_types::Value::from(kind).encode_to_vec()),
    };
    let detail = Any {
        type_url: type_url.to_owned(),
        value,
    };
    unpack(&detail).is_some().then_some(detail)
}

/// Encodes a `google.rpc.Status` with this detail.
///
/// Clients refuse a status if the code or the message in its details is not the status's own.
pub(crate) fn encode(code: GrpcCode, message: &str, detail: &Any) -> Bytes {
    let status = Status {
        code: code.as_i32(),
        message: message.to_owned(),
        details: vec![detail.clone()],
    };
    status.encode_to_vec().into()
}

/// Returns the first JSON in an encoded `google.rpc.Status`.
pub(crate) fn decode(status: &[u8]) -> Option<Value> {
    let status = Status::decode(status).ok()?;
    status.details.iter().find_map(unpack).map(json)
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
