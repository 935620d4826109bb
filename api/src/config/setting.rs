//! What every section of settings is made of.

use std::path::PathBuf;

/// A section: each setting may come from a flag, from a variable, or from the file.
macro_rules! settings {
    ($(#[$about:meta])* $name:ident { $($(#[$doc:meta])* $field:ident: $kind:ty = $env:literal,)* }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Default, clap::Args, serde::Deserialize)]
        #[group(skip)]
        #[serde(deny_unknown_fields, default)]
        pub struct $name {
            $($(#[$doc])* #[arg(long, global = true, env = $env)] pub $field: Option<$kind>,)*
        }

        impl $name {
            /// What is not set here is taken from there.
            #[must_use]
            pub fn or(self, other: Self) -> Self {
                Self { $($field: self.$field.or(other.$field),)* }
            }
        }
    };
}
pub(super) use settings;

#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("cannot read the settings file {path}: {error}")]
    Read { path: PathBuf, error: std::io::Error },
    #[error("the settings file {path} is invalid: {error}")]
    Parse { path: PathBuf, error: Box<toml::de::Error> },
    #[error("{old} was renamed: set {new} instead")]
    Renamed { old: String, new: String },
    #[error("{setting}: {reason}")]
    Value { setting: &'static str, reason: String },
}

impl ConfigError {
    pub fn value(setting: &'static str, reason: impl Into<String>) -> Self {
        Self::Value { setting, reason: reason.into() }
    }
}

/// A setting that must not be 0.
pub(super) fn positive<T: PartialEq + Default>(setting: &'static str, value: T) -> Result<T, ConfigError> {
    if value == T::default() {
        return Err(ConfigError::value(setting, "it must be at least 1"));
    }
    Ok(value)
}
