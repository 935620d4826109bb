//! Settings that once had another name. The old name is refused rather than ignored: a setting that silently does nothing is
//! worse than a start that fails.

use std::ffi::OsStr;

use super::setting::ConfigError;

/// A setting's names as they stand in the file.
pub(super) struct Renamed {
    pub(super) old: &'static str,
    pub(super) new: &'static str,
}

/// Each stays for one version after its renaming.
pub(super) const RENAMED: [Renamed; 2] = [
    Renamed { old: "park_after_seconds", new: "passivate_after_seconds" },
    Renamed { old: "max_metadata_bytes", new: "max_metadata_characters" },
];

fn flag(name: &str) -> String {
    format!("--{}", name.replace('_', "-"))
}

fn variable(name: &str) -> String {
    format!("SMARTCART_{}", name.to_uppercase())
}

fn refused(old: String, new: String) -> ConfigError {
    ConfigError::Renamed { old, new }
}

/// Refuses old flags, as `--name value` and as `--name=value`.
pub fn check_arguments<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Result<(), ConfigError> {
    for argument in arguments {
        let argument = argument.as_ref().to_string_lossy();
        let name = argument.split('=').next().unwrap_or_default();
        if let Some(renamed) = RENAMED.iter().find(|renamed| flag(renamed.old) == name) {
            return Err(refused(flag(renamed.old), flag(renamed.new)));
        }
    }
    Ok(())
}

/// Refuses old variables; `is_set` says whether the environment has one.
pub fn check_environment(is_set: impl Fn(&str) -> bool) -> Result<(), ConfigError> {
    match RENAMED.iter().find(|renamed| is_set(&variable(renamed.old))) {
        Some(renamed) => Err(refused(variable(renamed.old), variable(renamed.new))),
        None => Ok(()),
    }
}

/// Refuses old keys of a settings file, in whichever table they stand.
pub(super) fn check_file(file: &toml::Table) -> Result<(), ConfigError> {
    for (section, settings) in file {
        let Some(settings) = settings.as_table() else { continue };
        if let Some(renamed) = RENAMED.iter().find(|renamed| settings.contains_key(renamed.old)) {
            return Err(refused(
                format!("[{section}] {}", renamed.old),
                format!("[{section}] {}", renamed.new),
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_flag_is_refused_with_its_new_name() {
        for arguments in [&["serve", "--park-after-seconds", "5"][..], &["--park-after-seconds=5"]] {
            let error = check_arguments(arguments).unwrap_err();
            assert_eq!(
                error.to_string(),
                "--park-after-seconds was renamed: set --passivate-after-seconds instead"
            );
        }
        check_arguments(["serve", "--passivate-after-seconds", "5"]).unwrap();
    }

    #[test]
    fn an_old_variable_is_refused_with_its_new_name() {
        let error = check_environment(|name| name == "SMARTCART_PARK_AFTER_SECONDS").unwrap_err();
        assert_eq!(
            error.to_string(),
            "SMARTCART_PARK_AFTER_SECONDS was renamed: set SMARTCART_PASSIVATE_AFTER_SECONDS instead"
        );
        check_environment(|name| name == "SMARTCART_PASSIVATE_AFTER_SECONDS").unwrap();
    }

    #[test]
    fn an_old_key_is_refused_with_its_new_name() {
        let file = |text: &str| text.parse::<toml::Table>().unwrap();
        let error = check_file(&file("[engine]\npark_after_seconds = 5")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "[engine] park_after_seconds was renamed: set [engine] passivate_after_seconds instead"
        );
        check_file(&file("[engine]\npassivate_after_seconds = 5")).unwrap();
    }
}
