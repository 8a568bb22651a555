//! Every JSON answer that any test of this binary receives is held against the OpenAPI document: the
//! operation exists, the status is documented, and the body is what the document says, with nothing
//! missing and nothing undocumented (P73).

use std::sync::OnceLock;

use serde_json::{Map, Value};

fn document() -> &'static Value {
    static DOCUMENT: OnceLock<Value> = OnceLock::new();
    DOCUMENT.get_or_init(|| serde_json::to_value(server::document()).unwrap())
}

/// Panics when an answer is not what the document says.
#[track_caller]
pub fn hold(method: &str, path: &str, status: u16, body: &Value) {
    let path = path.split('?').next().unwrap_or_default();
    let Some(operation) = operation(method, path) else { return };
    let responses = &operation["responses"];
    let response = match &responses[status.to_string()] {
        Value::Null => &responses["default"],
        found => found,
    };
    assert!(!response.is_null(), "{method} {path} answers {status}, which is not documented: {body}");
    let content = response["content"].as_object();
    let Some(schema) = content.and_then(|content| content.values().next()).map(|media| &media["schema"]) else {
        panic!("{method} {path} {status} has a body that is not documented: {body}");
    };
    let mut wrong = Vec::new();
    check(schema, body, "", &mut wrong);
    assert!(wrong.is_empty(), "{method} {path} {status} differs from its document:\n{}\n{body}", wrong.join("\n"));
}

fn operation(method: &str, path: &str) -> Option<&'static Value> {
    let fits = |template: &str| {
        let (mut ours, mut theirs) = (template.split('/'), path.split('/'));
        loop {
            match (ours.next(), theirs.next()) {
                (None, None) => return true,
                (Some(ours), Some(theirs)) if ours == theirs || ours.starts_with('{') => {}
                _ => return false,
            }
        }
    };
    let paths = document()["paths"].as_object()?;
    // An exact path wins over one with a parameter.
    let exact = paths.get(path).map(|item| &item[method.to_lowercase()]).filter(|found| !found.is_null());
    exact.or_else(|| {
        let mut found =
            paths.iter().filter(|(template, _)| fits(template)).map(|(_, item)| &item[method.to_lowercase()]);
        found.find(|operation| !operation.is_null())
    })
}

fn resolved(schema: &'static Value) -> &'static Value {
    match schema["$ref"].as_str().and_then(|name| name.rsplit('/').next()) {
        Some(name) => resolved(&document()["components"]["schemas"][name]),
        None => schema,
    }
}

fn check(schema: &'static Value, value: &Value, at: &str, wrong: &mut Vec<String>) {
    let schema = resolved(schema);
    for way in ["oneOf", "anyOf"] {
        if let Some(options) = schema[way].as_array() {
            let tried: Vec<Vec<String>> = options
                .iter()
                .map(|option| {
                    let mut wrong = Vec::new();
                    check(option, value, at, &mut wrong);
                    wrong
                })
                .collect();
            if !tried.iter().any(Vec::is_empty) {
                wrong.push(format!("{at}: fits none of its options: {tried:?}"));
            }
            return;
        }
    }
    if let Some(values) = schema["enum"].as_array() {
        if !values.contains(value) {
            wrong.push(format!("{at}: {value} is not in its closed list"));
        }
        return;
    }
    if !is_of_type(&schema["type"], value) {
        wrong.push(format!("{at}: {value:.80} is not {}", schema["type"]));
        return;
    }
    if let Some(items) = value.as_array() {
        for (index, item) in items.iter().enumerate() {
            check(&schema["items"], item, &format!("{at}/{index}"), wrong);
        }
    }
    if let Some(fields) = value.as_object() {
        check_object(schema, fields, at, wrong);
    }
}

/// Properties of an object and of all that it is made of.
fn gather(schema: &'static Value, properties: &mut Map<String, Value>, required: &mut Vec<String>) -> bool {
    let schema = resolved(schema);
    let mut open = false;
    for part in schema["allOf"].as_array().into_iter().flatten() {
        open |= gather(part, properties, required);
    }
    if let Some(own) = schema["properties"].as_object() {
        properties.extend(own.iter().map(|(name, schema)| (name.clone(), schema.clone())));
    } else if schema["allOf"].is_null() {
        open = true;
    }
    let names = schema["required"].as_array().into_iter().flatten();
    required.extend(names.filter_map(|name| name.as_str().map(str::to_owned)));
    open || !matches!(schema["additionalProperties"], Value::Null | Value::Bool(false))
}

fn check_object(schema: &'static Value, fields: &Map<String, Value>, at: &str, wrong: &mut Vec<String>) {
    let (mut properties, mut required) = (Map::new(), Vec::new());
    let open = gather(schema, &mut properties, &mut required);
    for name in required {
        if !fields.contains_key(&name) {
            wrong.push(format!("{at}/{name}: is missing"));
        }
    }
    // A problem also carries facts that depend on its code.
    let is_problem = properties.contains_key("slug") && properties.contains_key("hint");
    for (name, value) in fields {
        match properties.get(name) {
            // The document lives as long as the program, so a copy of a part may, too.
            Some(schema) => check(Box::leak(Box::new(schema.clone())), value, &format!("{at}/{name}"), wrong),
            None if open || is_problem => {}
            None => wrong.push(format!("{at}/{name}: is not documented")),
        }
    }
}

fn is_of_type(kind: &Value, value: &Value) -> bool {
    let one = |kind: &str| match kind {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("the document has the type {other}"),
    };
    match kind {
        Value::String(kind) => one(kind),
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).any(one),
        _ => true,
    }
}
