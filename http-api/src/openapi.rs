//! The OpenAPI document, made from the route table and the view types. Nothing is written twice: a route that is not
//! in the table is not served, and one that is in it is described.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::call::{Kind, Param};
use crate::locks::Scope;
use crate::routes::{Answers, Body, ROUTES, Route};
use crate::schema::{Schemas, schema_of};
use crate::view::ProblemView;

/// The whole document.
pub(crate) fn document(version: &str) -> Value {
    let mut schemas = Schemas::new();
    let problem = schema_of::<ProblemView>(&mut schemas);
    let mut paths: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    for route in ROUTES {
        let operation = operation(route, &mut schemas);
        let path = paths.entry(route.path).or_default();
        path.insert(route.method.to_ascii_lowercase(), operation);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "p2p node",
            "version": version,
            "description": "The HTTP surface of a p2p node. It listens on loopback only.",
        },
        "security": [{"token": []}, {"session": []}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "responses": {
                "Problem": {
                    "description": "An error; docs/errors.md lists the codes.",
                    "content": {"application/problem+json": {"schema": reference(&problem)}},
                },
            },
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "session": {
                    "type": "apiKey",
                    "in": "cookie",
                    "name": "p2p_session_PORT",
                    "description": "Methods other than GET need the header X-CSRF besides.",
                },
            },
        },
    })
}

fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

fn operation(route: &Route, schemas: &mut Schemas) -> Value {
    let (status, response) = answer(route.answers, schemas);
    let mut operation = json!({
        "operationId": operation_id(route),
        "summary": route.about,
        "tags": [tag(route.path)],
        "parameters": parameters(route),
        "responses": {
            status.to_string(): response,
            "default": {"$ref": "#/components/responses/Problem"},
        },
    });
    let Some(members) = operation.as_object_mut() else {
        return operation;
    };
    if let Some(body) = body(route.body, schemas) {
        members.insert("requestBody".to_owned(), body);
    }
    match route.scope {
        Scope::Public => members.insert("security".to_owned(), json!([])),
        Scope::Token => members.insert("security".to_owned(), json!([{"token": []}])),
        Scope::Owner => None,
    };
    if route.successor.is_some() {
        members.insert("deprecated".to_owned(), true.into());
    }
    operation
}

fn operation_id(route: &Route) -> String {
    let words = route.path.split(['/', '.']).filter(|w| !w.is_empty());
    let words = words.map(|w| w.trim_matches(['{', '}']));
    let method = route.method.to_ascii_lowercase();
    [method.as_str()]
        .into_iter()
        .chain(words)
        .collect::<Vec<_>>()
        .join("_")
}

fn tag(path: &str) -> &str {
    let path = path.strip_prefix("/v1").unwrap_or(path);
    let first = path.split('/').nth(1).unwrap_or_default();
    match first {
        "" | "static" | "docs" | "openapi.json" => "page",
        "healthz" => "node",
        "messages" | "requests" => "inbox",
        other => other,
    }
}

fn parameters(route: &Route) -> Vec<Value> {
    let names = route
        .path
        .split('/')
        .filter_map(|s| s.strip_prefix('{')?.strip_suffix('}'));
    let path = names.map(
        |name| json!({"name": name, "in": "path", "required": true, "schema": {"type": "string"}}),
    );
    let query = route.query.iter().map(|param: &Param| {
        let schema = match param.kind {
            Kind::Text(max) => json!({"type": "string", "maxLength": max}),
            Kind::Number(min, max) => json!({"type": "integer", "minimum": min, "maximum": max}),
        };
        json!({
            "name": param.name,
            "in": "query",
            "required": param.required,
            "description": param.about,
            "schema": schema,
        })
    });
    path.chain(query).collect()
}

fn body(body: Body, schemas: &mut Schemas) -> Option<Value> {
    let octets = |about: String| json!({"description": about, "content": {"application/octet-stream": {"schema": {}}}});
    match body {
        Body::None => None,
        Body::Json(_, schema) => {
            let schema = reference(&schema(schemas));
            Some(json!({"content": {"application/json": {"schema": schema}}}))
        }
        Body::Bytes(limit) => Some(octets(format!("At most {limit} bytes."))),
        Body::Stream => Some(octets("Bytes without a bound.".to_owned())),
    }
}

fn answer(answers: Answers, schemas: &mut Schemas) -> (u16, Value) {
    match answers {
        Answers::Empty(status) => (status, json!({"description": "Done."})),
        Answers::Bytes(status, kind) => (
            status,
            json!({"description": "Content.", "content": {kind: {"schema": {}}}}),
        ),
        Answers::Json(status, schema) => {
            let schema = reference(&schema(schemas));
            let content = json!({"application/json": {"schema": schema}});
            (status, json!({"description": "Done.", "content": content}))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_route_is_described_once() {
        let document = document("1.2.3");
        let mut ids = BTreeSet::new();
        for route in ROUTES {
            let method = route.method.to_ascii_lowercase();
            let operation = &document["paths"][route.path][method.as_str()];
            let id = operation["operationId"].as_str().expect("it is described");
            assert!(ids.insert(id.to_owned()), "{id} twice");
            assert!(operation["responses"]["default"].is_object());
        }
        assert_eq!(ids.len(), ROUTES.len());
    }

    #[test]
    fn every_reference_leads_somewhere() {
        let document = document("1.2.3");
        let text = document.to_string();
        let mut found = 0;
        for part in text.split("\"$ref\":\"#").skip(1) {
            let pointer = part.split('"').next().unwrap();
            assert!(document.pointer(pointer).is_some(), "{pointer}");
            found += 1;
        }
        assert!(found > ROUTES.len());
    }
}
