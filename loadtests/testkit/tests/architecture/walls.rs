//! Which crate may depend on which, and what a file may not mention.

use proc_macro2::{TokenStream, TokenTree};

use crate::source::SourceFile;
use crate::workspace::{Package, Workspace};

const DOMAIN: &str = "smartcart-domain";
const WIRE: &str = "smartcart-wire";
const ENGINE: &str = "smartcart-engine";
const PERSISTENCE: &str = "smartcart-persistence";
const PEERS: &str = "smartcart-peers";
const API: &str = "smartcart-api";
const TESTKIT: &str = "smartcart-testkit";
const CHAOS: &str = "smartcart-chaos";
const BENCH: &str = "smartcart-bench";
const REPLAY: &str = "smartcart-replay";

/// Each crate, and the crates of the workspace that it may import.
const ALLOWED: &[(&str, &[&str])] = &[
    (DOMAIN, &[]),
    (WIRE, &[DOMAIN]),
    (ENGINE, &[DOMAIN]),
    (PERSISTENCE, &[DOMAIN, ENGINE, WIRE]),
    (PEERS, &[DOMAIN, ENGINE, WIRE]),
    (API, &[DOMAIN, WIRE, ENGINE, PERSISTENCE, PEERS]),
    (TESTKIT, &[DOMAIN, WIRE, ENGINE, PERSISTENCE, PEERS, API]),
    (CHAOS, BELOW_LOADTESTS),
    (BENCH, BELOW_LOADTESTS),
    (REPLAY, BELOW_LOADTESTS),
];

const BELOW_LOADTESTS: &[&str] = &[DOMAIN, WIRE, ENGINE, PERSISTENCE, PEERS, API, TESTKIT];

/// Rules and values need no runtime: their tests build in seconds, and they mean the same wherever they run.
/// A name that ends in `*` stands for all that begin so.
const BANNED_FROM_DOMAIN: &[&str] =
    &["tokio", "metrics", "async-trait", "futures*", "ractor", "sqlx", "redis", "axum"];

const DATABASES: &[&str] = &["sqlx", "redis"];
const MAY_USE_DATABASES: &[&str] = &[PERSISTENCE, TESTKIT, CHAOS, BENCH];

const ACTORS: &str = "ractor";
const ACTORS_LIVE_IN: &str = "engine/src/";
/// Besides the engine: the log filter quietens the library by name, and this test names it.
const MAY_NAME_ACTORS: &[&str] = &["api/src/cli/mod.rs", "loadtests/testkit/tests/architecture/walls.rs"];

const READS_NO_CLOCK: &str = "engine/src/";
const MAY_READ_THE_CLOCK: &[&str] = &["engine/src/clock.rs"];

/// One line for each breach, with what to do about it.
pub(crate) fn breaches(workspace: &Workspace) -> Vec<String> {
    let members: Vec<&str> = workspace.packages.iter().map(|package| package.name.as_str()).collect();
    let manifests = workspace.packages.iter().flat_map(|package| manifest_breaches(package, &members));
    let files = workspace.files.values().flat_map(|file| {
        let mut found = actor_mentions(file);
        found.extend(clock_readings(file));
        found
    });
    let domain = workspace.packages.iter().filter(|package| package.name == DOMAIN);
    let asynchronous = domain.flat_map(|package| workspace.files_of(package).flat_map(async_words));
    manifests.chain(files).chain(asynchronous).collect()
}

fn manifest_breaches(package: &Package, members: &[&str]) -> Vec<String> {
    let manifest = format!("{}/Cargo.toml", package.folder);
    let Some((_, allowed)) = ALLOWED.iter().find(|(name, _)| *name == package.name) else {
        let name = &package.name;
        return vec![format!(
            "{manifest}: no rule says what {name} may import; add it to ALLOWED in walls.rs"
        )];
    };
    let breach = |dependency: &String| {
        let reason = if members.contains(&dependency.as_str()) {
            (!allowed.contains(&dependency.as_str())).then(|| format!("may import only {allowed:?}"))
        } else {
            library_breach(&package.name, dependency)
        };
        reason.map(|reason| {
            let name = &package.name;
            format!("{manifest}: {name} {reason}, not {dependency}; move what needs it, or let a port of the engine stand between")
        })
    };
    package.dependencies().iter().filter_map(breach).collect()
}

fn library_breach(package: &str, dependency: &str) -> Option<String> {
    let banned = |pattern: &&str| match pattern.strip_suffix('*') {
        Some(start) => dependency.starts_with(start),
        None => dependency == *pattern,
    };
    if package == DOMAIN && BANNED_FROM_DOMAIN.iter().any(banned) {
        return Some("holds rules and values that run anywhere".to_owned());
    }
    let database = DATABASES.contains(&dependency) && !MAY_USE_DATABASES.contains(&package);
    database.then(|| format!("leaves databases to {MAY_USE_DATABASES:?}"))
}

fn actor_mentions(file: &SourceFile) -> Vec<String> {
    if file.path.starts_with(ACTORS_LIVE_IN) || MAY_NAME_ACTORS.contains(&file.path.as_str()) {
        return Vec::new();
    }
    let lines = file.text.lines().zip(1..).filter(|(line, _)| has_word(line, ACTORS));
    let path = &file.path;
    lines
        .map(|(_, line)| {
            format!(
                "{path}:{line}: mentions {ACTORS}; actors are the engine's own: use a handle of the engine"
            )
        })
        .collect()
}

fn has_word(line: &str, word: &str) -> bool {
    line.split(|character: char| !character.is_alphanumeric() && character != '_').any(|part| part == word)
}

fn clock_readings(file: &SourceFile) -> Vec<String> {
    if !file.path.starts_with(READS_NO_CLOCK) || MAY_READ_THE_CLOCK.contains(&file.path.as_str()) {
        return Vec::new();
    }
    let references = file.module.all_references().into_iter();
    let readings = references.filter(|reference| is_clock(&reference.path));
    readings
        .map(|reading| {
            let (path, line, mentioned) = (&file.path, reading.line, reading.path.join("::"));
            format!("{path}:{line}: {mentioned}; use tokio::time::Instant, which tests can hold still, or the injected `Clock`")
        })
        .collect()
}

fn is_clock(path: &[String]) -> bool {
    let words: Vec<&str> = path.iter().map(String::as_str).collect();
    matches!(words[..], ["std", "time", "Instant" | "SystemTime", ..])
}

/// `async fn`, `async` blocks and `.await`: comments do not count.
fn async_words(file: &SourceFile) -> Vec<String> {
    let tokens = file.text.parse::<TokenStream>().unwrap_or_else(|error| panic!("{}: {error}", file.path));
    let mut lines = Vec::new();
    find_async(tokens, &mut lines);
    let path = &file.path;
    lines
        .into_iter()
        .map(|line| format!("{path}:{line}: the domain waits for nothing; move what is async to the engine"))
        .collect()
}

fn find_async(tokens: TokenStream, lines: &mut Vec<usize>) {
    for tree in tokens {
        match tree {
            TokenTree::Group(group) => find_async(group.stream(), lines),
            TokenTree::Ident(word) if word == "async" || word == "await" => {
                lines.push(word.span().start().line);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reasons(manifest: &str) -> Vec<String> {
        manifest_breaches(&Package::parse("folder", manifest), &[DOMAIN, ENGINE, PERSISTENCE])
    }

    #[test]
    fn a_crate_imports_only_what_lies_below_it() {
        let manifest = "package.name = 'smartcart-engine'\n[dependencies]\nsmartcart-domain.workspace = true";
        assert!(reasons(manifest).is_empty());
        let upwards = format!("{manifest}\nstore = {{ package = 'smartcart-persistence', path = '..' }}");
        assert_eq!(reasons(&upwards).len(), 1);
        let for_tests = format!("{manifest}\n[dev-dependencies]\nsmartcart-persistence.workspace = true");
        assert!(reasons(&for_tests).is_empty());
    }

    #[test]
    fn the_domain_imports_no_runtime_on_any_target() {
        let manifest =
            "package.name = 'smartcart-domain'\n[target.'cfg(unix)'.dependencies]\nfutures-util = '0.3'";
        assert_eq!(reasons(manifest).len(), 1);
    }

    #[test]
    fn a_crate_without_a_rule_is_refused() {
        assert_eq!(reasons("package.name = 'smartcart-extra'").len(), 1);
    }

    #[test]
    fn a_mention_is_a_whole_word() {
        assert!(has_word("use ractor::Actor;", ACTORS) && !has_word("a refractor", ACTORS));
    }

    #[test]
    fn the_systems_clocks_are_found_and_tokios_is_not() {
        let text = "use std::{fmt, time::{Duration, Instant}}; fn f() { std::time::SystemTime::now(); }";
        let file = |text: &str| SourceFile::parse("engine/src/commit/group_commit.rs", text.to_owned());
        assert_eq!(clock_readings(&file(text)).len(), 2);
        assert!(clock_readings(&file("use tokio::time::Instant; fn f() { Instant::now(); }")).is_empty());
    }

    #[test]
    fn async_in_a_comment_is_no_async() {
        let file = SourceFile::parse("engine/domain/src/id.rs", "/// async\nasync fn f() {}".to_owned());
        assert_eq!(async_words(&file).len(), 1);
    }
}
