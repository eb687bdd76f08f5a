//! Structured details: a gRPC client gets everything that a JSON client gets.

use prost::Message as _;
use prost_types::{Struct, Value, value::Kind};
use serde_json::json;
use tonic::{Code, Status};
use tonic_types::pb;

/// Asserts that this is the status of [`structured`](crate::faults::structured).
pub fn assert_structured(status: &Status) {
    let expected = json!({ "reason": "out of stock", "id": 7, "left": [0.5, null, true, "é"] });
    assert_eq!(status.code(), Code::FailedPrecondition, "{status:?}");
    let message: serde_json::Value = serde_json::from_str(status.message()).unwrap();
    assert_eq!(message, expected);

    let rpc_status = pb::Status::decode(status.details()).unwrap();
    assert_eq!(rpc_status.code, Code::FailedPrecondition as i32);
    assert_eq!(rpc_status.message, status.message());
    let [detail] = &rpc_status.details[..] else {
        panic!("{rpc_status:?}");
    };
    assert_eq!(
        detail.type_url,
        "type.googleapis.com/google.protobuf.Struct"
    );
    let detail = Struct::decode(&detail.value[..]).unwrap();
    assert_eq!(to_json(Kind::StructValue(detail)), expected);
}

fn to_json(kind: Kind) -> serde_json::Value {
    let inner = |value: Value| to_json(value.kind.unwrap());
    match kind {
        Kind::NullValue(_) => serde_json::Value::Null,
        Kind::NumberValue(number) if number.fract() == 0.0 => json!(number as i64),
        Kind::NumberValue(number) => json!(number),
        Kind::StringValue(text) => json!(text),
        Kind::BoolValue(value) => json!(value),
        Kind::ListValue(list) => list.values.into_iter().map(inner).collect(),
        Kind::StructValue(object) => {
            let fields = object.fields.into_iter();
            fields.map(|(name, value)| (name, inner(value))).collect()
        }
    }
}
