//! `docs/CONFIG.md`: every setting with its default, from the structs that read them.

use bmt_server::config::{Config, Mode, NAMESPACE_SETTINGS, Reload, SETTINGS};
use toml::{Table, Value};

use crate::page::{self, documentation, heading, row};

/// A table of the configuration, its title, and the source that defines it.
const TABLES: &[(&str, &str)] = &[
    ("auth", include_str!("../../src/config/auth.rs")),
    ("limits", include_str!("../../src/config/limits.rs")),
    ("heartbeat", include_str!("../../src/config/heartbeat.rs")),
    ("store", include_str!("../../src/config/store.rs")),
    ("http", include_str!("../../src/config/http.rs")),
    ("files", include_str!("../../src/config/files.rs")),
    ("log", include_str!("../../src/config/log.rs")),
    ("telemetry", include_str!("../../src/config/telemetry.rs")),
    ("audit", include_str!("../../src/config/audit.rs")),
];
const NAMESPACE: &str = include_str!("../../../shared/src/namespace.rs");
const ROOT: &str = include_str!("../../src/config.rs");

const OPENING: &str = "\
# Configuration

Four layers, the later one wins: the defaults below, a TOML file (`--config FILE`), environment variables
(`BMT_TABLE__KEY`, lists separated by commas), flags (`--port`, `--bind`, `--data-dir`). `bmt-server print-config`
shows what holds in the end, secrets hidden; `bmt-server check-config` says what is wrong with it. A setting that does
not exist is an error that names the nearest one that does. In limits, 0 means \"no limit\" unless the text says
otherwise.

What OpenTelemetry's own variables say of an exporter stands between the defaults and the file, because they speak to
every program alike: `OTEL_EXPORTER_OTLP_ENDPOINT` or `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`, `OTEL_EXPORTER_OTLP_HEADERS`,
`OTEL_EXPORTER_OTLP_TIMEOUT` and `OTEL_SERVICE_NAME` are read for the settings of `telemetry`, and
`OTEL_RESOURCE_ATTRIBUTES` goes with every trace. Others of them are not read.

SIGHUP makes a running server read all layers again. Settings marked \"taken over\" hold at once, for connections that
live already too; those marked \"restart\" keep their old value, and the log names the ones that have changed. A mistake
anywhere changes nothing at all.

```toml
# bmt.toml: the least that a server for others needs
[auth]
jwt_secret = \"…\"                              # openssl rand -base64 48; or BMT_AUTH__JWT_SECRET

[http]
bind = \"0.0.0.0\"
allowed_origins = [\"https://app.example.com\"]
```
";

const NAMESPACES: &str = "
## `namespaces.<name>`

A table here changes only the keys it names; a new name makes a new namespace. In the environment:
`BMT_NAMESPACES__<NAME>__<KEY>`. SIGHUP takes a new namespace over; one that is gone from the configuration stays until
the next start.

`subscribe` and `publish` are one of `users` (guests too on the `guest_channels`), `admins`, `members` (who stands in the
channel's member list, or holds a permission), `owner` (whose id the second segment is), `document_readers` and
`document_writers` (all users until the document has a member list). `durability` is `stored`, `memory` or `none`.

A channel can be kept in another way than the rest of its namespace: `history_size`, `history_ttl`, `durability` and
`max_subscribers` in a table of its own. The server's figures are such a channel:

```toml
[namespaces.system.channels.\"system:metrics\"]
durability = \"memory\"
history_size = 300
```

";

const DEFAULTS: &str = "
What the namespaces of the specification begin with:

";

#[test]
fn the_configuration_page_lists_every_setting_with_its_default() {
    let defaults = Table::try_from(Config::defaults(Mode::Production)).expect("the defaults are TOML");
    let documented: Vec<&str> = TABLES
        .iter()
        .map(|(name, _)| *name)
        .chain(["namespaces"])
        .collect();
    for table in defaults.keys() {
        assert!(documented.contains(&table.as_str()), "`{table}` is on no page");
    }
    let mut text = OPENING.to_owned();
    for (name, source) in TABLES {
        text += &format!(
            "\n## `{name}`\n\n{}\n\n",
            documented_as(ROOT, &format!("pub {name}:"))
        );
        text += &heading(["setting", "default", "environment", "on SIGHUP", "what it does"]);
        for (key, value) in settings(&defaults, name) {
            let variable = format!("`BMT_{}__{}`", name.to_uppercase(), key.to_uppercase());
            let meaning = setting(source, key);
            let reload = reload(name, key);
            text += &row([
                &format!("`{name}.{key}`"),
                &shown(value),
                &variable,
                reload,
                &meaning,
            ]);
        }
    }
    for setting in SETTINGS {
        let table = settings(&defaults, setting.table);
        assert!(
            table.contains_key(setting.key),
            "`{}.{}` is no setting",
            setting.table,
            setting.key
        );
    }
    text += NAMESPACES;
    text += &namespaces(settings(&defaults, "namespaces"));
    page::is("CONFIG.md", &text);
}

/// What the server's own table says of a setting.
fn reload(table: &str, key: &str) -> &'static str {
    let found = SETTINGS
        .iter()
        .find(|setting| (setting.table, setting.key) == (table, key));
    told(
        found
            .unwrap_or_else(|| panic!("`{table}.{key}` is not in the table of what a reload does"))
            .reload,
    )
}

fn told(reload: Reload) -> &'static str {
    match reload {
        Reload::Taken => "taken over",
        Reload::Kept => "restart",
    }
}

fn settings<'a>(defaults: &'a Table, name: &str) -> &'a Table {
    defaults[name].as_table().expect("every setting is in a table")
}

fn namespaces(defaults: &Table) -> String {
    let keys: Vec<&String> = defaults["public"].as_table().expect("a table").keys().collect();
    let mut text = heading(["key", "on SIGHUP", "what it does"]);
    for key in &keys {
        let meaning = setting(NAMESPACE, key);
        let reload = NAMESPACE_SETTINGS.iter().find(|(name, _)| name == key);
        let (_, reload) =
            reload.unwrap_or_else(|| panic!("`{key}` is not in the table of what a reload does"));
        text += &row([&format!("`{key}`"), told(*reload), &meaning]);
    }
    text += DEFAULTS;
    let names: Vec<String> = defaults.keys().map(|name| format!("`{name}`")).collect();
    text += &format!(
        "| | {} |\n|{}\n",
        names.join(" | "),
        " --- |".repeat(names.len() + 1)
    );
    for key in keys {
        let values: Vec<String> = defaults.values().map(|table| shown(&table[key])).collect();
        text += &format!("| `{key}` | {} |\n", values.join(" | "));
    }
    text
}

/// A setting is called what its field is called, or what it is renamed to.
fn setting(source: &str, key: &str) -> String {
    documentation(source, &format!("#[serde(rename = \"{key}\""))
        .unwrap_or_else(|| documented_as(source, &format!("pub {key}:")))
}

fn documented_as(source: &str, item: &str) -> String {
    documentation(source, item).unwrap_or_else(|| panic!("`{item}` has no documentation"))
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) if text.is_empty() || text == "(hidden)" => "not set".to_owned(),
        Value::Array(items) if items.is_empty() => "none".to_owned(),
        Value::Integer(number) => grouped(*number),
        value => format!("`{value}`"),
    }
}

/// 1048576 as 1,048,576.
fn grouped(number: i64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) && digit.is_ascii_digit() && !text.ends_with('-') {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
