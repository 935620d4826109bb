//! The architecture, as a test: modules form no cycles, crates import only what lies below them, and files and functions
//! stay short.
//!
//! A module depends on the deepest file module that a path names and, through re-exports, on the one that defines what
//! the path names. Inline modules belong to their file, `mod child;` is no dependency, and code that is compiled for
//! tests alone does not count. To see what to cut:
//! `cargo test -p smartcart-testkit --test architecture -- --ignored --nocapture`, for one crate with
//! `ARCHITECTURE_CRATE=smartcart-engine`.

mod examples;
mod function;
mod graph;
mod modules;
mod reference;
mod size;
mod source;
mod tokens;
mod walls;
mod workspace;

use std::path::Path;
use std::sync::LazyLock;

use crate::graph::ModuleGraph;
use crate::modules::ModuleTree;
use crate::size::{FILE_LINES, FUNCTION_LINES, LONGEST_FILE, LONGEST_FUNCTION, Sizes};
use crate::workspace::{Package, Workspace};

static WORKSPACE: LazyLock<Workspace> =
    LazyLock::new(|| Workspace::read(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))));

/// The modules of one library or program.
struct Modules {
    name: String,
    graph: ModuleGraph,
    missing: Vec<String>,
}

impl Modules {
    fn all() -> Vec<Self> {
        let packages = WORKSPACE.packages.iter();
        packages
            .flat_map(|package| {
                let targets = package.targets(&WORKSPACE.files).into_iter();
                targets.map(|target| Self::read(package, &target))
            })
            .collect()
    }

    fn read(package: &Package, target: &str) -> Self {
        let tree = ModuleTree::read(target, &package.name, &WORKSPACE.files);
        let library = target.ends_with("src/lib.rs");
        let name = if library { package.name.clone() } else { format!("{} ({target})", package.name) };
        Self { name, graph: tree.graph(), missing: tree.missing }
    }

    fn summary(&self) -> String {
        let (name, top) = (&self.name, self.graph.top_level());
        let (in_top, tops) = (largest_cycle(&top), top.len());
        let (in_files, files) = (largest_cycle(&self.graph), self.graph.len());
        format!(
            "{name}: largest cycle: {in_top} of {tops} top-level modules, {in_files} of {files} file modules"
        )
    }

    /// With `plan`, each is followed by what to cut.
    fn cycles(&self, plan: bool) -> String {
        let mut text = String::new();
        for (level, graph) in [("top-level modules", &self.graph.top_level()), ("file modules", &self.graph)]
        {
            for cycle in graph.cycles() {
                text += &format!("\n{}: {} {level} form a cycle: {cycle}", self.name, cycle.modules.len());
                text += &if plan { cycle.plan() } else { String::new() };
            }
        }
        text
    }
}

fn largest_cycle(graph: &ModuleGraph) -> usize {
    graph.cycles().first().map_or(0, |cycle| cycle.modules.len())
}

#[test]
fn modules_form_no_cycles() {
    let all = Modules::all();
    for modules in &all {
        println!("{}", modules.summary());
    }
    let missing: Vec<_> = all.iter().flat_map(|modules| &modules.missing).collect();
    assert!(missing.is_empty(), "modules that cannot be checked: {missing:#?}");
    let cycles: String = all.iter().map(|modules| modules.cycles(false)).collect();
    assert!(
        cycles.is_empty(),
        "a module may import only what lies below it; move the names that both sides need into a module below both \
         (the top of this test says how to list the edges to cut):\n{cycles}"
    );
}

#[test]
fn crates_import_only_what_lies_below_them() {
    let breaches = walls::breaches(&WORKSPACE);
    assert!(breaches.is_empty(), "{} breaches of the walls:\n{}", breaches.len(), breaches.join("\n"));
}

#[test]
fn files_and_functions_stay_short() {
    let (files, functions) = (Sizes::of_files(&WORKSPACE), Sizes::of_functions(&WORKSPACE));
    println!("{files}{functions}");
    assert!(files.percentile(95) < FILE_LINES, "split the longest files by noun:\n{files}");
    assert!(functions.percentile(95) < FUNCTION_LINES, "split the longest functions:\n{functions}");
    assert!(files.percentile(100) <= LONGEST_FILE, "no file may be longer than the longest was:\n{files}");
    assert!(
        functions.percentile(100) <= LONGEST_FUNCTION,
        "no function may be longer than the longest was:\n{functions}"
    );
}

#[test]
#[ignore = "prints what to cut; it checks nothing"]
fn edges_to_cut() {
    let only = std::env::var("ARCHITECTURE_CRATE").unwrap_or_default();
    for modules in Modules::all().iter().filter(|modules| modules.name.starts_with(&only)) {
        println!("{}{}", modules.summary(), modules.cycles(true));
    }
}
