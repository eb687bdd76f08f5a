//! The messages of serde, each as a fault. A client reads no name of a type of the server.

use std::collections::HashMap;

use serde::{Deserialize, de::DeserializeOwned};
use tower_exception::HttpException;

/// Returns the fault of JSON that is no `T`: its type, place, message and input.
fn fault<T: DeserializeOwned>(json: &str) -> String {
    let mut deserializer = serde_json::Deserializer::from_str(json);
    let error = serde_path_to_error::deserialize::<_, T>(&mut deserializer)
        .err()
        .unwrap();
    let exception = HttpException::from(error);
    assert_eq!(exception.status(), 422);
    let list: Vec<serde_json::Value> =
        serde_json::from_str(&exception.detail_or_reason().to_string()).unwrap();
    let [fault] = &list[..] else {
        panic!("{list:?}")
    };
    format!(
        "{} {} {} {}",
        fault["type"].as_str().unwrap(),
        fault["loc"],
        fault["msg"],
        fault["input"]
    )
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
struct SecretPoint {
    x: u8,
    y: f64,
}

#[derive(Debug, Deserialize)]
#[allow(dead_code)]
struct SecretPair(u8, u8);

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(dead_code)]
enum SecretColor {
    Red,
    Rgb { red: u8 },
}

#[derive(Debug, Deserialize)]
#[serde(tag = "kind")]
#[allow(dead_code)]
enum SecretTagged {
    A { x: u8 },
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
#[allow(dead_code)]
enum SecretUntagged {
    A(u8),
    B(bool),
}

#[derive(Debug)]
struct Even;

impl<'de> Deserialize<'de> for Even {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match u8::deserialize(deserializer)? % 2 {
            0 => Ok(Self),
            _ => Err(serde::de::Error::custom("must be even")),
        }
    }
}

#[test]
fn a_field_that_is_missing_or_unknown_is_the_place() {
    for (got, expected) in [
        (
            fault::<SecretPoint>(r#"{"x":1}"#),
            r#"missing ["body","y"] "Field required" null"#,
        ),
        (
            fault::<SecretPoint>(r#"{"x":1,"z":2}"#),
            r#"extra_forbidden ["body","z"] "Unknown field" null"#,
        ),
        (
            fault::<Vec<SecretTagged>>(r#"[{"x":1}]"#),
            r#"missing ["body",0,"kind"] "Field required" null"#,
        ),
        (
            fault::<SecretPoint>(""),
            r#"missing ["body"] "Field required" null"#,
        ),
    ] {
        assert_eq!(got, expected);
    }
}

#[test]
fn a_value_of_a_wrong_type_has_the_expected_one() {
    for (got, expected) in [
        (
            fault::<String>("7"),
            r#"string_type ["body"] "Input should be a string" 7"#,
        ),
        (
            fault::<char>("7"),
            r#"string_type ["body"] "Input should be a string" 7"#,
        ),
        (
            fault::<bool>("1.5"),
            r#"bool_type ["body"] "Input should be a boolean" 1.5"#,
        ),
        (
            fault::<i64>("\"a\""),
            r#"int_type ["body"] "Input should be an integer" "a""#,
        ),
        (
            fault::<u8>("1.5"),
            r#"int_type ["body"] "Input should be an integer" 1.5"#,
        ),
        (
            fault::<u8>("300"),
            r#"out_of_range ["body"] "Input is out of range" 300"#,
        ),
        (
            fault::<u8>("-1"),
            r#"out_of_range ["body"] "Input is out of range" -1"#,
        ),
        (
            fault::<f64>("true"),
            r#"float_type ["body"] "Input should be a number" true"#,
        ),
        (
            fault::<f64>("null"),
            r#"float_type ["body"] "Input should be a number" null"#,
        ),
        (
            fault::<f64>("[1]"),
            r#"float_type ["body"] "Input should be a number" null"#,
        ),
        (
            fault::<f64>(r#""a\"b, expected u8""#),
            r#"float_type ["body"] "Input should be a number" null"#,
        ),
        (
            fault::<Vec<u8>>("{}"),
            r#"list_type ["body"] "Input should be an array" null"#,
        ),
        (
            fault::<(u8, u8)>("[1]"),
            r#"list_type ["body"] "Input should be an array" null"#,
        ),
        (
            fault::<HashMap<String, u8>>("3"),
            r#"dict_type ["body"] "Input should be an object" 3"#,
        ),
        (
            fault::<HashMap<String, u8>>(r#"{"3":{"a":1}}"#),
            r#"int_type ["body","3"] "Input should be an integer" null"#,
        ),
    ] {
        assert_eq!(got, expected);
    }
}

#[test]
fn no_type_of_the_server_is_named() {
    for got in [
        fault::<SecretPoint>("3"),
        fault::<SecretPoint>("[]"),
        fault::<SecretPair>("3"),
        fault::<SecretPair>("[]"),
        fault::<SecretColor>("3"),
        fault::<SecretColor>("{}"),
        fault::<SecretColor>("\"blue\""),
        fault::<SecretColor>(r#"{"rgb":3}"#),
        fault::<SecretColor>(r#"{"red":3}"#),
        fault::<SecretTagged>("3"),
        fault::<SecretTagged>("[]"),
        fault::<SecretUntagged>("\"a\""),
        fault::<()>("3"),
    ] {
        assert!(!got.contains("Secret"), "{got}");
    }
    assert_eq!(
        fault::<SecretColor>("\"blue\""),
        r#"enum ["body"] "unknown variant `blue`, expected `red` or `rgb`" null"#
    );
    assert_eq!(
        fault::<Vec<SecretPoint>>("[3]"),
        r#"model_attributes_type ["body",0] "Input should be an object" 3"#
    );
}

#[test]
fn a_message_of_user_code_is_sent_without_its_position() {
    assert_eq!(
        fault::<Vec<Even>>("[2, 3]"),
        r#"value_error ["body",1] "must be even" null"#
    );
}

#[test]
fn what_is_no_json_has_its_position() {
    for (json, expected) in [
        (r#"{"name": "#, r#"json_invalid ["body",9]"#),
        (r#"{"name": x}"#, r#"json_invalid ["body",9]"#),
        ("x", r#"json_invalid ["body",0]"#),
        ("\n\n  x", r#"json_invalid ["body"]"#),
    ] {
        let got = fault::<serde_json::Value>(json);
        let (place, message) = got.split_once(" \"").unwrap();
        assert_eq!(place, expected, "{json}");
        assert!(message.starts_with("JSON decode error: "), "{message}");
    }
}
