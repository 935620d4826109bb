use serde::Deserialize;

use super::setting::settings;

settings! {
    /// The log, on standard error.
    LogSettings {
        /// What is logged: error, warn, info, debug, or a filter such as smartcart_engine=debug [info]
        log: String = "SMARTCART_LOG",
        /// text or json [text]
        log_format: LogFormat = "SMARTCART_LOG_FORMAT",
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    Text,
    Json,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogConfig {
    pub filter: String,
    pub format: LogFormat,
}

impl LogSettings {
    pub fn build(self) -> LogConfig {
        LogConfig {
            filter: self.log.unwrap_or_else(|| "info".to_owned()),
            format: self.log_format.unwrap_or(LogFormat::Text),
        }
    }
}
