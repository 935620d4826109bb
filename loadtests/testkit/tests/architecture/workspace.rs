//! The members of the workspace, their manifests and their Rust files.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::thread;

use toml::{Table, Value};
use walkdir::WalkDir;

use crate::source::SourceFile;

pub(crate) struct Workspace {
    pub(crate) packages: Vec<Package>,
    /// By path, relative to the root.
    pub(crate) files: BTreeMap<String, SourceFile>,
}

pub(crate) struct Package {
    pub(crate) name: String,
    /// Relative to the root.
    pub(crate) folder: String,
    manifest: Table,
}

impl Workspace {
    pub(crate) fn read(root: &Path) -> Self {
        let folders = members(root);
        let packages: Vec<_> = folders.iter().map(|folder| Package::read(root, folder)).collect();
        let paths: Vec<_> = folders.iter().flat_map(|folder| rust_files(root, folder, &folders)).collect();
        Self { packages, files: parse_all(root, &paths) }
    }

    /// The files of one package alone, not those of packages in folders below it.
    pub(crate) fn files_of(&self, package: &Package) -> impl Iterator<Item = &SourceFile> {
        self.files
            .values()
            .filter(|file| self.owner(&file.path).is_some_and(|owner| owner.name == package.name))
    }

    fn owner(&self, path: &str) -> Option<&Package> {
        let owners = self.packages.iter().filter(|package| Path::new(path).starts_with(&package.folder));
        owners.max_by_key(|package| package.folder.len())
    }
}

impl Package {
    fn read(root: &Path, folder: &str) -> Self {
        Self::parse(folder, &read(&root.join(folder).join("Cargo.toml")))
    }

    pub(crate) fn parse(folder: &str, manifest: &str) -> Self {
        let manifest: Table = manifest.parse().unwrap_or_else(|error| panic!("{folder}/Cargo.toml: {error}"));
        let name = manifest.get("package").and_then(|package| package.get("name")).and_then(Value::as_str);
        let name = name.unwrap_or_else(|| panic!("{folder}/Cargo.toml names no package")).to_owned();
        Self { name, folder: folder.to_owned(), manifest }
    }

    /// What the crate itself is compiled with, on any target; not what its tests need.
    pub(crate) fn dependencies(&self) -> Vec<String> {
        let targets = self.manifest.get("target").and_then(Value::as_table);
        let targets = targets.into_iter().flat_map(|targets| targets.values().filter_map(Value::as_table));
        let tables = std::iter::once(&self.manifest).chain(targets);
        let tables = tables.filter_map(|table| table.get("dependencies").and_then(Value::as_table));
        tables.flat_map(|table| table.iter().map(|(key, value)| package_name(key, value))).collect()
    }

    /// The root files of its library and of its programs.
    pub(crate) fn targets(&self, files: &BTreeMap<String, SourceFile>) -> Vec<String> {
        let source = format!("{}/src", self.folder);
        let declared = self.manifest.get("bin").and_then(Value::as_array).into_iter().flatten();
        let declared = declared.filter_map(|bin| bin.get("path").and_then(Value::as_str));
        let mut found: Vec<_> = declared.map(|path| format!("{}/{path}", self.folder)).collect();
        found.extend(files.keys().filter(|path| is_target(path, &source)).cloned());
        found.sort_unstable();
        found.dedup();
        found
    }
}

fn is_target(path: &str, source: &str) -> bool {
    let Ok(path) = Path::new(path).strip_prefix(source) else { return false };
    let parts: Vec<_> = path.iter().filter_map(|part| part.to_str()).collect();
    matches!(parts[..], ["lib.rs" | "main.rs"] | ["bin", _] | ["bin", _, "main.rs"])
}

/// A dependency may go by another name than its package's.
fn package_name(key: &str, value: &Value) -> String {
    value.get("package").and_then(Value::as_str).unwrap_or(key).to_owned()
}

fn members(root: &Path) -> Vec<String> {
    let manifest: Table = read(&root.join("Cargo.toml")).parse().expect("the root Cargo.toml is valid TOML");
    let members = manifest.get("workspace").and_then(|table| table.get("members")).and_then(Value::as_array);
    let members = members.expect("the root Cargo.toml lists the workspace's members");
    members.iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn rust_files(root: &Path, folder: &str, members: &[String]) -> Vec<String> {
    let other_member =
        |path: &Path| path != Path::new(folder) && members.iter().any(|member| path == Path::new(member));
    let entries = WalkDir::new(root.join(folder)).into_iter().filter_entry(|entry| {
        let path = entry.path().strip_prefix(root).unwrap_or(entry.path());
        entry.file_name() != "target" && !other_member(path)
    });
    let entries = entries.map(|entry| entry.unwrap_or_else(|error| panic!("cannot list {folder}: {error}")));
    let files = entries.filter(|entry| entry.path().extension().is_some_and(|extension| extension == "rs"));
    files.map(|entry| relative(root, entry.path())).collect()
}

fn relative(root: &Path, path: &Path) -> String {
    path.strip_prefix(root).unwrap_or(path).to_string_lossy().into_owned()
}

/// Parsing is nearly all of this test's time, so every core takes a share.
fn parse_all(root: &Path, paths: &[String]) -> BTreeMap<String, SourceFile> {
    let workers = thread::available_parallelism().map_or(1, usize::from);
    let share = paths.len().div_ceil(workers).max(1);
    let parse = |path: &String| (path.clone(), SourceFile::parse(path, read(&root.join(path))));
    thread::scope(|scope| {
        let workers: Vec<_> = paths
            .chunks(share)
            .map(|paths| scope.spawn(move || paths.iter().map(parse).collect::<Vec<_>>()))
            .collect();
        workers.into_iter().flat_map(|worker| worker.join().expect("every file parses")).collect()
    })
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()))
}
