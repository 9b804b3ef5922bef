//! What an operator can set: one struct per concern, read from a file, the environment and flags (SPEC §10).
//!
//! Later layers win: defaults, the TOML file, `BMT_TABLE__KEY` variables, flags. A setting that does not exist
//! is an error that names it, so that a slip of the pen never runs as a default. 0 means "no limit".

mod audit;
mod auth;
mod error;
mod files;
mod heartbeat;
mod http;
mod layers;
mod limits;
mod log;
mod reload;
mod secret;
mod store;
mod telemetry;

use std::path::{Path, PathBuf};

use bmt_shared::namespace::Namespaces;
use serde::{Deserialize, Serialize};

pub use audit::AuditConfig;
pub use auth::{AuthConfig, TokenAlgorithm};
pub use error::ConfigError;
pub use files::FilesConfig;
pub use heartbeat::HeartbeatConfig;
pub use http::HttpConfig;
pub use limits::LimitsConfig;
pub use log::{LogConfig, LogFormat};
pub use reload::{NAMESPACE_SETTINGS, Reload, Reloaded, SETTINGS, Setting};
pub use secret::Secret;
pub use store::StoreConfig;
pub use telemetry::TelemetryConfig;

use layers::Layers;
use telemetry::STANDARD_VARIABLES;

/// Whether this is somebody's own machine or a place where strangers come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Mode {
    /// Known accounts, guests, any loopback origin, a secret that makes itself.
    Dev,
    /// Nothing that was not configured.
    #[default]
    Production,
}

/// The whole configuration. Every field is a table of the file.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Not a setting: chosen by `serve --dev`.
    #[serde(skip)]
    pub mode: Mode,
    /// Tokens, guests, built-in sessions.
    pub auth: AuthConfig,
    /// How much of everything.
    pub limits: LimitsConfig,
    /// When a silent peer counts as gone.
    pub heartbeat: HeartbeatConfig,
    /// Where things are kept.
    pub store: StoreConfig,
    /// Address, origins, proxies.
    pub http: HttpConfig,
    /// What people upload.
    pub files: FilesConfig,
    /// What is written about the server's own doings.
    pub log: LogConfig,
    /// Traces for an OpenTelemetry collector.
    pub telemetry: TelemetryConfig,
    /// How long administrative acts stay on record.
    pub audit: AuditConfig,
    /// The rules of each namespace; a table here changes only the keys it names.
    pub namespaces: Namespaces,
}

/// What the command line says; it outranks everything else.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    /// `--dev`.
    pub mode: Mode,
    /// `--port`.
    pub port: Option<u16>,
    /// `--bind`.
    pub bind: Option<String>,
    /// `--data-dir`.
    pub data_dir: Option<PathBuf>,
}

impl Config {
    /// Reads and checks all layers. `env` is the process's environment; only `BMT_TABLE__KEY` names count, and below
    /// the file those of the OpenTelemetry specification that name an exporter.
    ///
    /// # Errors
    /// Every problem that was found, each naming its setting and where it came from, never a secret's value.
    pub fn load(
        file: Option<&Path>,
        env: impl IntoIterator<Item = (String, String)>,
        flags: &Flags,
    ) -> Result<Self, ConfigError> {
        let env: Vec<(String, String)> = env.into_iter().collect();
        let mut layers = Layers::over(&Self::defaults(flags.mode));
        layers.merge_standard(STANDARD_VARIABLES, &env);
        if let Some(path) = file {
            let text = std::fs::read_to_string(path).map_err(|error| {
                ConfigError::one(format!(
                    "The configuration file {} cannot be read: {error}.",
                    path.display()
                ))
            })?;
            layers.merge_file(&path.display().to_string(), &text);
        }
        layers.merge_env(env);
        if let Some(port) = flags.port {
            layers.set("--port", "http.port", toml::Value::from(i64::from(port)));
        }
        if let Some(bind) = &flags.bind {
            layers.set("--bind", "http.bind", toml::Value::from(bind.as_str()));
        }
        if let Some(dir) = &flags.data_dir {
            let text = dir.to_str().ok_or_else(|| {
                ConfigError::one("`--data-dir` must be valid Unicode: choose another folder.")
            })?;
            layers.set("--data-dir", "store.data_dir", toml::Value::from(text));
        }
        let mut config: Self = layers.finish()?;
        config.mode = flags.mode;
        config.check()?;
        Ok(config)
    }

    /// What holds where nothing is configured.
    #[must_use]
    pub fn defaults(mode: Mode) -> Self {
        let mut config = Self {
            mode,
            ..Self::default()
        };
        config.auth.guests = mode == Mode::Dev;
        config.http.open_metrics = mode == Mode::Dev;
        config
    }

    fn check(&self) -> Result<(), ConfigError> {
        let mut problems = Vec::new();
        self.auth.check(self.mode, &mut problems);
        self.limits.check(&mut problems);
        self.heartbeat.check(&mut problems);
        self.store.check(&mut problems);
        self.http.check(&mut problems);
        self.files.check(&mut problems);
        self.telemetry.check(&mut problems);
        for (name, namespace) in self.namespaces.iter() {
            let fits = !name.is_empty()
                && name
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
            if !fits {
                problems.push(format!(
                    "`namespaces.{name}`: a namespace's name has letters, digits, `_` and `-` only."
                ));
            }
            for channel in &namespace.guest_channels {
                if channel.namespace() != name {
                    problems.push(format!(
                        "`namespaces.{name}.guest_channels` holds `{}`, a channel of another namespace.",
                        channel.as_str()
                    ));
                }
            }
            for channel in namespace.channels.keys() {
                if channel.namespace() != name {
                    problems.push(format!(
                        "`namespaces.{name}.channels` holds `{channel}`, a channel of another namespace."
                    ));
                }
            }
        }
        ConfigError::unless_empty(problems)
    }

    /// The effective configuration as TOML; secrets read `(hidden)`.
    #[must_use]
    pub fn redacted(&self) -> String {
        toml::to_string(self).expect("a configuration that was read can be written")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bmt_shared::channel::ChannelName;
    use bmt_shared::namespace::{Access, Durability};

    const SECRET: &str = "0123456789abcdefghijklmnopqrstuvwxyz";

    fn load(text: &str, env: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("bmt.toml");
        std::fs::write(&path, text).unwrap();
        let env = env
            .iter()
            .map(|&(name, value)| (name.to_owned(), value.to_owned()));
        Config::load(Some(&path), env, &Flags::default())
    }

    fn refusal(text: &str, env: &[(&str, &str)]) -> String {
        load(text, env).expect_err("must be refused").to_string()
    }

    #[test]
    fn the_defaults_are_those_of_the_specification() {
        let config = load("", &[("BMT_AUTH__JWT_SECRET", SECRET)]).unwrap();
        assert_eq!(config.limits.connections, 100_000);
        assert_eq!(config.limits.connections_per_user, 50);
        assert_eq!(config.limits.connections_per_address, 200);
        assert_eq!(config.limits.message_bytes, 64 * 1_024);
        assert_eq!(config.limits.subscriptions, 1_000);
        assert!(
            config
                .namespaces
                .iter()
                .all(|(_, namespace)| namespace.max_subscribers == 10_000)
        );
        assert_eq!(
            (config.limits.publish_per_second, config.limits.publish_burst),
            (50, 100)
        );
        assert_eq!(
            (config.heartbeat.interval_ms, config.heartbeat.timeout_ms),
            (10_000, 5_000)
        );
        assert_eq!(config.http.port, 5_000);
        assert!(!config.auth.guests);
        assert!(Config::defaults(Mode::Dev).auth.guests);
        assert_eq!(config.namespaces, Namespaces::default());
    }

    #[test]
    fn later_layers_win_file_then_environment_then_flags() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("bmt.toml");
        std::fs::write(
            &path,
            "[http]\nport = 1\nbind = \"0.0.0.0\"\n[limits]\nconnections = 7\n",
        )
        .unwrap();
        let env = [
            ("BMT_HTTP__PORT", "2"),
            ("BMT_AUTH__JWT_SECRET", SECRET),
            ("BMT_DEV_PASSWORD", "is no setting"),
        ];
        let flags = Flags {
            port: Some(3),
            ..Flags::default()
        };
        let env = env.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let config = Config::load(Some(&path), env, &flags).unwrap();
        assert_eq!(config.http.port, 3);
        assert_eq!(config.http.bind, "0.0.0.0");
        assert_eq!(config.limits.connections, 7);
    }

    #[test]
    fn a_secret_of_digits_stays_text_and_lists_are_split_at_commas() {
        let digits = "01234567890123456789012345678901";
        let config = load(
            "",
            &[
                ("BMT_AUTH__JWT_SECRET", digits),
                (
                    "BMT_HTTP__ALLOWED_ORIGINS",
                    "https://a.example, https://b.example",
                ),
            ],
        )
        .unwrap();
        assert_eq!(config.auth.jwt_secret.reveal(), digits);
        assert_eq!(config.http.allowed_origins.len(), 2);
    }

    #[test]
    fn an_unknown_setting_is_named_with_its_origin_and_the_nearest_real_one() {
        let told = refusal("[limits]\nconections = 5\n", &[("BMT_AUTH__JWT_SECRET", SECRET)]);
        assert!(told.contains("`limits.conections`"), "{told}");
        assert!(told.contains("bmt.toml"), "{told}");
        assert!(told.contains("`limits.connections`"), "{told}");
        let told = refusal("", &[("BMT_AUTH__JWT_SECRET", SECRET), ("BMT_HTTP__PROT", "1")]);
        assert!(told.contains("BMT_HTTP__PROT"), "{told}");
        let told = refusal("[namespaces.public]\ndurabilty = \"memory\"", &[]);
        assert!(told.contains("`namespaces.public.durabilty`"), "{told}");
    }

    #[test]
    fn a_mistyped_value_is_named_with_what_it_must_be() {
        let told = refusal("[limits]\nconnections = \"many\"\n", &[]);
        assert!(
            told.contains("`limits.connections`") && told.contains("a whole number"),
            "{told}"
        );
        let told = refusal("", &[("BMT_HTTP__PORT", "http")]);
        assert!(
            told.contains("BMT_HTTP__PORT") && told.contains("a whole number"),
            "{told}"
        );
        let told = refusal("[http]\nport = 70000\n", &[("BMT_AUTH__JWT_SECRET", SECRET)]);
        assert!(told.contains("http.port"), "{told}");
    }

    #[test]
    fn a_namespace_table_changes_only_the_keys_it_names() {
        let text = "[namespaces.public]\ndurability = \"memory\"\n\
                    [namespaces.news]\npublish = \"admins\"\nhistory_size = 5\n";
        let config = load(text, &[("BMT_AUTH__JWT_SECRET", SECRET)]).unwrap();
        let before = Namespaces::default();
        let public = config.namespaces.get("public").unwrap();
        assert_eq!(public.durability, Durability::Memory);
        assert_eq!(
            public.guest_channels,
            before.get("public").unwrap().guest_channels
        );
        let news = config.namespaces.get("news").unwrap();
        assert_eq!((news.publish, news.subscribe), (Access::Admins, Access::Users));
        assert_eq!((news.history_size, news.durability), (5, Durability::Stored));
        assert_eq!(config.namespaces.get("user"), before.get("user"));
    }

    #[test]
    fn every_option_of_a_namespace_can_be_set_and_a_channel_can_be_kept_in_its_own_way() {
        let text = r#"
            [namespaces.news]
            subscribe = "members"
            publish = "document_writers"
            guest_channels = ["news:front"]
            presence = false
            join_leave = false
            history_size = 5
            history_ttl = "90s"
            durability = "none"
            max_subscribers = 7
            chat = true
            [namespaces.news.channels."news:archive"]
            durability = "stored"
            history_ttl = "0"
            [namespaces.system.channels."system:metrics"]
            history_size = 60
        "#;
        let secret = [("BMT_AUTH__JWT_SECRET", SECRET)];
        let config = load(text, &secret).unwrap();
        let of = |name: &str| config.namespaces.of(&ChannelName::parse(name).unwrap()).unwrap();
        let news = of("news:front");
        assert_eq!(
            (news.subscribe, news.publish),
            (Access::Members, Access::DocumentWriters)
        );
        assert_eq!(news.guest_channels, [ChannelName::parse("news:front").unwrap()]);
        assert_eq!((news.presence, news.join_leave, news.chat), (false, false, true));
        assert_eq!((news.history_size, news.history_ttl_ms), (5, 90_000));
        assert_eq!((news.durability, news.max_subscribers), (Durability::None, 7));
        let archive = of("news:archive");
        assert_eq!(
            (archive.durability, archive.history_ttl_ms),
            (Durability::Stored, 0)
        );
        assert_eq!((archive.history_size, archive.subscribe), (5, Access::Members));
        let metrics = of("system:metrics");
        assert_eq!(
            (metrics.durability, metrics.history_size),
            (Durability::Memory, 60)
        );
        assert_eq!(of("system:other").durability, Durability::Stored);

        let printed = config.redacted();
        assert_eq!(
            load(&printed, &secret).unwrap().namespaces,
            config.namespaces,
            "{printed}"
        );
        let env = [("BMT_NAMESPACES__PUBLIC__HISTORY_TTL", "2h"), secret[0]];
        assert_eq!(
            load("", &env)
                .unwrap()
                .namespaces
                .get("public")
                .unwrap()
                .history_ttl_ms,
            7_200_000
        );
    }

    #[test]
    fn what_is_wrong_with_a_namespace_is_named() {
        for (text, named) in [
            (
                "[namespaces.public]\nhistory_ttl = \"soon\"",
                ["`namespaces.public.history_ttl`", "\"7d\""],
            ),
            (
                "[namespaces.public]\nsubscribe = \"all\"",
                ["`namespaces.public.subscribe`", "users"],
            ),
            (
                "[namespaces.public]\nchannels = 1",
                ["`namespaces.public.channels`", "a table"],
            ),
            (
                "[namespaces.public.channels.\"public:a\"]\npublish = \"users\"",
                ["channels", "`publish`"],
            ),
            (
                "[namespaces.public.channels.\"user:a\"]\nhistory_size = 1",
                ["`user:a`", "another namespace"],
            ),
            (
                "[namespaces.public.channels.\"a b\"]\nhistory_size = 1",
                ["namespaces.public.channels", "` `"],
            ),
        ] {
            let told = refusal(text, &[("BMT_AUTH__JWT_SECRET", SECRET)]);
            assert!(named.iter().all(|part| told.contains(part)), "{text}: {told}");
        }
    }

    /// FAULTS 39.
    #[test]
    fn weak_secrets_are_refused_by_name_and_never_shown() {
        for weak in [
            "",
            "secret",
            "change-me",
            "12345678",
            "a-string-secret-at-least-256-bits-long",
        ] {
            let told = refusal("", &[("BMT_AUTH__JWT_SECRET", weak)]);
            assert!(told.contains("auth.jwt_secret"), "{told}");
            assert!(weak.is_empty() || !told.contains(&format!("{weak}\"")), "{told}");
            assert!(told.contains("openssl rand"), "{told}");
        }
        let told = refusal("[auth]\njwt_secret = \"this-must-not-be-seen\n", &[]);
        assert!(!told.contains("must-not-be-seen"), "{told}");
        assert!(told.contains("line 2"), "{told}");
    }

    #[test]
    fn what_is_printed_hides_secrets_and_reads_back() {
        let config = load("", &[("BMT_AUTH__JWT_SECRET", SECRET)]).unwrap();
        let printed = config.redacted();
        assert!(!printed.contains(SECRET));
        assert!(printed.contains("jwt_secret = \"(hidden)\""));
        assert!(!format!("{config:?}").contains(SECRET));
        let again = load(&printed, &[("BMT_AUTH__JWT_SECRET", SECRET)]).unwrap();
        assert_eq!(again.redacted(), printed);
    }
}
