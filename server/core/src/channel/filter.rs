//! Which messages of a channel a subscription wants: those whose payload has the given field values (SPEC §4).

use std::collections::BTreeMap;

use bmt_shared::payload::Payload;
use bmt_shared::sorted::SortedMap;
use serde_json::Value;

use super::fingerprint::canonical;

/// Field values in canonical form by field name; empty wants everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Filter(BTreeMap<String, String>);

impl Filter {
    pub(super) fn new(params: &SortedMap<String, Payload>) -> Self {
        let wanted = params.iter().map(|(field, value)| {
            let value = value
                .decode::<Value>()
                .map_or_else(|_| value.json().to_owned(), |value| canonical(&value));
            (field.clone(), value)
        });
        Self(wanted.collect())
    }

    pub(super) fn wants(&self, fields: &mut Fields<'_>) -> bool {
        self.0.is_empty() || self.0.iter().all(|(field, value)| fields.has(field, value))
    }
}

/// A payload's fields, parsed when the first filter asks and then shared by all of them.
pub(super) struct Fields<'a> {
    payload: &'a Payload,
    parsed: Option<BTreeMap<String, String>>,
}

impl<'a> Fields<'a> {
    pub(super) fn of(payload: &'a Payload) -> Self {
        Self {
            payload,
            parsed: None,
        }
    }

    fn has(&mut self, field: &str, value: &str) -> bool {
        let parsed = self.parsed.get_or_insert_with(|| match self.payload.decode() {
            Ok(Value::Object(fields)) => {
                let canonical = fields
                    .iter()
                    .map(|(name, value)| (name.clone(), canonical(value)));
                canonical.collect()
            }
            // What is no object has no fields, so no filter wants it.
            _ => BTreeMap::new(),
        });
        parsed.get(field).is_some_and(|found| found == value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wants(params: &[(&str, &str)], payload: &str) -> bool {
        let params = params
            .iter()
            .map(|(field, value)| ((*field).to_owned(), Payload::parse(value).unwrap()));
        let filter = Filter::new(&params.collect());
        filter.wants(&mut Fields::of(&Payload::parse(payload).unwrap()))
    }

    #[test]
    fn every_given_field_must_have_its_value() {
        let payload = r#"{"room":"a","n":1,"deep":{"x":1,"y":[2]}}"#;
        assert!(wants(&[], payload));
        assert!(wants(&[("room", r#""a""#)], payload));
        assert!(wants(&[("room", r#""a""#), ("n", "1.0")], payload));
        assert!(wants(&[("deep", r#"{"y":[2],"x":1}"#)], payload));
        assert!(!wants(&[("room", r#""b""#)], payload));
        assert!(!wants(&[("room", r#""a""#), ("n", "2")], payload));
        assert!(!wants(&[("missing", "null")], payload));
    }

    #[test]
    fn what_is_no_object_passes_only_where_nothing_is_asked() {
        assert!(wants(&[], "[1]"));
        assert!(!wants(&[("0", "1")], "[1]"));
    }
}
