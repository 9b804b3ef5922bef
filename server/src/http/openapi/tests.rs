//! The document and the routes are the same.

use std::collections::{BTreeSet, HashMap};

use super::*;
use crate::config::Mode;

type Routes = BTreeSet<(String, String)>;

/// The routes that the sources add by hand: `.route("/path", get(…).post(…))`. What lies outside `/api/v1` and the
/// endpoints of connections are no part of the API.
fn by_hand(source: &str) -> Routes {
    const OUTSIDE: [&str; 3] = ["/healthz", "/readyz", "/metrics"];
    let mut found = Routes::new();
    for part in source.split(".route(").skip(1) {
        let named = part.trim_start().split([',', '\n']).next().unwrap();
        // A path that several routes share has a name.
        let named = match source.split_once(&format!("let {named} = ")) {
            Some((_, value)) => value.split(';').next().unwrap(),
            None => named,
        };
        let path = named.trim_matches('"');
        let end = part.find("\n        .").unwrap_or(part.len());
        for method in ["get", "post", "put", "patch", "delete"] {
            if part[..end].contains(&format!("{method}(")) && !OUTSIDE.contains(&path) {
                found.insert((method.to_owned(), format!("/api/v1{path}")));
            }
        }
    }
    found
}

fn documented(document: &Value) -> Routes {
    let paths = document["paths"].as_object().unwrap();
    paths
        .iter()
        .flat_map(|(path, methods)| {
            methods
                .as_object()
                .unwrap()
                .keys()
                .map(|method| (method.clone(), path.clone()))
        })
        .collect()
}

#[test]
fn every_route_is_in_the_document_and_every_operation_is_a_route() {
    let config = Config::defaults(Mode::Dev);
    let mut routes = by_hand(include_str!("../../http.rs"));
    for source in [
        include_str!("../auth.rs"),
        include_str!("../api.rs"),
        include_str!("../api/members.rs"),
        include_str!("../api/files.rs"),
    ] {
        routes.extend(by_hand(source));
    }
    for line in super::super::table(&config) {
        routes.insert((
            line.method.as_str().to_ascii_lowercase(),
            format!("/api/v1{}", line.path),
        ));
    }
    let documented = documented(&describe(&config));
    let missing: Vec<_> = routes.difference(&documented).collect();
    let invented: Vec<_> = documented.difference(&routes).collect();
    assert!(
        missing.is_empty() && invented.is_empty(),
        "missing {missing:?}, invented {invented:?}"
    );
    assert!(routes.len() > 40, "{}", routes.len());
}

#[test]
fn every_reference_leads_somewhere_and_no_two_types_share_a_name() {
    let mut schemas = Schemas::new();
    for operation in operations() {
        operation.describe(None, &mut schemas);
    }
    let mut seen: HashMap<String, Value> = HashMap::new();
    for (name, schema) in schemas {
        let schema = json!(schema);
        let known = seen.entry(name.clone()).or_insert_with(|| schema.clone());
        assert_eq!(known, &schema, "{name}");
    }
    let document = describe(&Config::defaults(Mode::Dev));
    let text = document.to_string();
    for reference in text.split("#/components/schemas/").skip(1) {
        let name = reference.split('"').next().unwrap();
        assert!(document["components"]["schemas"][name].is_object(), "{name}");
    }
}

#[test]
fn the_page_loads_nothing_from_elsewhere_and_puts_nothing_in_as_markup() {
    for text in [
        include_str!("../docs/page.html"),
        include_str!("../docs/page.js"),
        include_str!("../docs/page.css"),
    ] {
        assert!(!text.contains("http:") && !text.contains("https:") && !text.contains("//cdn"));
        assert!(!text.contains("innerHTML") && !text.contains("style=") && !text.contains("onclick"));
    }
}
