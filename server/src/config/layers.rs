//! Laying the file, the environment and the flags over the defaults.
//!
//! The defaults, written as a TOML table, say which settings exist and of which type each is. That is how a
//! variable's text is read (a secret of digits stays text) and how an unknown setting is found. Written here
//! because the layering libraries guess the type from the text.

use bmt_shared::namespace::{Access, Namespace};
use serde::de::DeserializeOwned;
use toml::{Table, Value};

use super::{Config, ConfigError};

/// Environment variables are settings if they begin like this and have a level separator.
const ENV_PREFIX: &str = "BMT_";
const ENV_LEVEL: &str = "__";
const NAMESPACES: &str = "namespaces";
/// `namespaces.<name>.channels` holds a table for each channel that is kept in its own way.
const CHANNELS: &str = "channels";

pub(super) struct Layers {
    settled: Table,
    problems: Vec<String>,
}

impl Layers {
    pub(super) fn over(defaults: &Config) -> Self {
        Self {
            settled: Table::try_from(defaults).expect("the defaults can be written as TOML"),
            problems: Vec::new(),
        }
    }

    /// `origin` is the file's name, for the messages.
    pub(super) fn merge_file(&mut self, origin: &str, text: &str) {
        match text.parse::<Table>() {
            Ok(table) => merge(
                &mut self.settled,
                table,
                &mut Vec::new(),
                origin,
                &mut self.problems,
            ),
            Err(error) => {
                // The error's own text quotes the line, which may hold a secret.
                let before = error
                    .span()
                    .map_or("", |span| text.get(..span.start).unwrap_or(""));
                let line = 1 + before.matches('\n').count();
                self.problems.push(format!(
                    "{origin}, line {line}: this is not TOML: {}.",
                    error.message().replace('\n', ", ")
                ));
            }
        }
    }

    /// Takes what variables without our prefix say: `(variable, setting)`, a later one over an earlier one. Below the
    /// file, because they speak to every program of the machine alike.
    pub(super) fn merge_standard(&mut self, standard: &[(&str, &str)], env: &[(String, String)]) {
        for &(name, path) in standard {
            let set = env
                .iter()
                .find(|(other, text)| other == name && !text.trim().is_empty());
            if let (Some((_, text)), Some(default)) = (set, self.default_at(path)) {
                match read_as(&default, text) {
                    Ok(value) => self.set(name, path, value),
                    Err(expected) => self
                        .problems
                        .push(format!("{name} (`{path}`) must be {expected}.")),
                }
            }
        }
    }

    pub(super) fn merge_env(&mut self, env: impl IntoIterator<Item = (String, String)>) {
        let mut variables: Vec<_> = env.into_iter().collect();
        variables.sort();
        for (name, text) in variables {
            let Some(setting) = name
                .strip_prefix(ENV_PREFIX)
                .filter(|rest| rest.contains(ENV_LEVEL))
            else {
                continue;
            };
            let path = setting.to_ascii_lowercase().replace(ENV_LEVEL, ".");
            match self.default_at(&path).map(|default| read_as(&default, &text)) {
                Some(Ok(value)) => self.set(&name, &path, value),
                Some(Err(expected)) => {
                    self.problems
                        .push(format!("{name} (`{path}`) must be {expected}."));
                }
                // Merging it finds the same and says which settings there are.
                None => self.set(&name, &path, Value::from(text)),
            }
        }
    }

    /// Sets one setting by its dotted path.
    pub(super) fn set(&mut self, origin: &str, path: &str, value: Value) {
        let mut keys = path.rsplit('.');
        let mut layer = Table::new();
        layer.insert(keys.next().unwrap_or_default().to_owned(), value);
        for key in keys {
            layer = Table::from_iter([(key.to_owned(), Value::Table(layer))]);
        }
        merge(
            &mut self.settled,
            layer,
            &mut Vec::new(),
            origin,
            &mut self.problems,
        );
    }

    pub(super) fn finish<T: DeserializeOwned>(self) -> Result<T, ConfigError> {
        ConfigError::unless_empty(self.problems)?;
        serde_path_to_error::deserialize(Value::Table(self.settled)).map_err(|error| {
            let reason = error.inner().message().replace('\n', ", ");
            ConfigError::one(format!("`{}`: {reason}.", error.path()))
        })
    }

    fn default_at(&self, path: &str) -> Option<Value> {
        let keys: Vec<&str> = path.split('.').collect();
        let mut at = Value::Table(self.settled.clone());
        for (depth, key) in keys.iter().enumerate() {
            let table = at.as_table_mut()?;
            at = match table.remove(*key) {
                Some(value) => value,
                None if depth == 1 && keys[0] == NAMESPACES => Value::Table(new_namespace()),
                None => return None,
            };
        }
        Some(at)
    }
}

/// What a namespace that is not in the default table begins with.
fn new_namespace() -> Table {
    Table::try_from(Namespace::stored(Access::Users, Access::Users))
        .expect("a namespace can be written as TOML")
}

fn merge(
    settled: &mut Table,
    layer: Table,
    path: &mut Vec<String>,
    origin: &str,
    problems: &mut Vec<String>,
) {
    for (key, value) in layer {
        path.push(key.clone());
        let name = path.join(".");
        if !settled.contains_key(&key) && path.len() == 2 && path[0] == NAMESPACES {
            settled.insert(key.clone(), Value::Table(new_namespace()));
        }
        if is_channel_rules(path) && !settled.contains_key(&key) {
            settled.insert(key.clone(), Value::Table(Table::new()));
        }
        let known: Vec<String> = settled.keys().cloned().collect();
        match (settled.get_mut(&key), value) {
            // A rule has no defaults of its own: reading it finds what is wrong with it.
            (Some(Value::Table(below)), Value::Table(rule))
                if path.len() == 4 && is_channel_rules(&path[..3]) =>
            {
                below.extend(rule);
            }
            (Some(Value::Table(below)), Value::Table(table)) => merge(below, table, path, origin, problems),
            (Some(default), value) if default.same_type(&value) => *default = value,
            // Nobody should have to write `1.0`.
            (Some(default @ Value::Float(_)), Value::Integer(whole)) => *default = Value::Float(whole as f64),
            (Some(default), value) => problems.push(format!(
                "`{name}` in {origin} must be {}, not {}.",
                type_name(default),
                type_name(&value)
            )),
            (None, _) => problems.push(unknown(&name, &key, path, origin, &known)),
        }
        path.pop();
    }
}

/// Whether this is the path of a namespace's own table of channels, or of a channel in it.
fn is_channel_rules(path: &[String]) -> bool {
    matches!(path.len(), 3 | 4) && path[0] == NAMESPACES && path[2] == CHANNELS
}

fn unknown(name: &str, key: &str, path: &[String], origin: &str, known: &[String]) -> String {
    let nearest = known.iter().min_by_key(|other| distance(key, other));
    let hint = match nearest.filter(|other| distance(key, other) <= 1 + key.len() / 4) {
        Some(near) => {
            let mut full = path.to_vec();
            full.pop();
            full.push(near.clone());
            format!("Did you mean `{}`?", full.join("."))
        }
        None => "Run `bmt-server print-config` to see all settings.".to_owned(),
    };
    format!("There is no setting `{name}` (in {origin}). {hint}")
}

/// How many single-letter changes lead from one word to the other (Levenshtein).
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (above, letter) in from.chars().enumerate() {
        let mut diagonal = above;
        row[0] = above + 1;
        for (at, other) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(letter != *other);
            diagonal = row[at + 1];
            row[at + 1] = replaced.min(diagonal + 1).min(row[at] + 1);
        }
    }
    row[to.len()]
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::String(_) => "a text",
        Value::Integer(_) => "a whole number",
        Value::Float(_) => "a number",
        Value::Boolean(_) => "true or false",
        Value::Datetime(_) => "a date",
        Value::Array(_) => "a list",
        Value::Table(_) => "a table",
    }
}

/// Reads a variable's text as the type of its default.
fn read_as(default: &Value, text: &str) -> Result<Value, &'static str> {
    let expected = type_name(default);
    match default {
        Value::String(_) => Ok(Value::from(text)),
        Value::Integer(_) => text.trim().parse::<i64>().map(Value::from).map_err(|_| expected),
        Value::Float(_) => text.trim().parse::<f64>().map(Value::from).map_err(|_| expected),
        Value::Boolean(_) => text.trim().parse::<bool>().map(Value::from).map_err(|_| expected),
        Value::Array(_) => Ok(text
            .split(',')
            .map(str::trim)
            .filter(|item| !item.is_empty())
            .collect::<Vec<_>>()
            .into()),
        Value::Datetime(_) | Value::Table(_) => Err(expected),
    }
}
