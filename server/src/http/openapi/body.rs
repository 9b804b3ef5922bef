//! The schema of a body, and of all that it refers to.

use serde_json::{Value, json};
use utoipa::ToSchema;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::Schema;

/// Schemas by their names.
pub(super) type Schemas = Vec<(String, RefOr<Schema>)>;

/// One type, or one of several.
#[derive(Clone)]
pub(super) struct Body(Vec<Kind>);

#[derive(Clone, Copy)]
struct Kind {
    name: fn() -> String,
    schemas: fn(&mut Schemas),
}

impl Body {
    pub(super) fn of<T: ToSchema>() -> Self {
        Self(vec![Kind {
            name: || T::name().into_owned(),
            schemas: |all| {
                all.push((T::name().into_owned(), T::schema()));
                T::schemas(all);
            },
        }])
    }

    pub(super) fn or<T: ToSchema>(mut self) -> Self {
        self.0.extend(Self::of::<T>().0);
        self
    }

    /// A reference to it; what it refers to is added to `schemas`.
    pub(super) fn refer(&self, schemas: &mut Schemas) -> Value {
        let mut kinds = self.0.iter().map(|kind| {
            (kind.schemas)(schemas);
            json!({"$ref": format!("#/components/schemas/{}", (kind.name)())})
        });
        match self.0.len() {
            1 => kinds.next().expect("there is one"),
            _ => json!({"oneOf": kinds.collect::<Vec<_>>()}),
        }
    }
}
