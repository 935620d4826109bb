use std::process::{Command, Output};

/// The program, ended: with these arguments, and with nothing of this process's environment.
fn run(arguments: &[&str], variable: Option<(&str, &str)>) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_smartcart"));
    command.env_clear().args(arguments).envs(variable).output().unwrap()
}

fn is_refused(output: &Output, new_name: &str) {
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert!(error.starts_with("error: ") && error.contains(new_name), "{error}");
}

#[test]
fn a_renamed_setting_is_refused_with_its_new_name() {
    is_refused(&run(&["serve", "--park-after-seconds", "5"], None), "--passivate-after-seconds");
    is_refused(
        &run(&["doctor"], Some(("SMARTCART_PARK_AFTER_SECONDS", "5"))),
        "SMARTCART_PASSIVATE_AFTER_SECONDS",
    );
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("smartcart.toml");
    std::fs::write(&file, "[engine]\npark_after_seconds = 5\n").unwrap();
    is_refused(
        &run(&["--config", file.to_str().unwrap(), "doctor"], None),
        "[engine] passivate_after_seconds",
    );
}
