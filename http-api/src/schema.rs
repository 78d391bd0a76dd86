//! JSON schemas of the view types, by which rows of the route table say what they take and answer.

use std::collections::BTreeMap;

use serde_json::Value;
use utoipa::{PartialSchema, ToSchema};

/// Schemas by name.
pub(crate) type Schemas = BTreeMap<String, Value>;

/// Adds a type's schema, and those it refers to; returns its name.
pub(crate) type SchemaOf = fn(&mut Schemas) -> String;

/// Adds the schema of `T` to `schemas`; returns its name.
pub(crate) fn schema_of<T: ToSchema + PartialSchema>(schemas: &mut Schemas) -> String {
    let mut found = vec![(T::name().into_owned(), T::schema())];
    T::schemas(&mut found);
    for (name, schema) in found {
        let value = serde_json::to_value(schema).unwrap_or_default();
        schemas.insert(name, value);
    }
    T::name().into_owned()
}
