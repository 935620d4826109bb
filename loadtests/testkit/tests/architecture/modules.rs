//! The modules of one target (a library or a program), and what each path in them names.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::graph::{Mention, ModuleGraph};
use crate::reference::{Binds, Reference};
use crate::source::{Module, SourceFile};

/// A file module: what a path can depend on.
type Node = usize;
/// A module, inline ones included: what a path is resolved in.
type Scope = usize;

pub(crate) struct ModuleTree<'a> {
    /// The crate's name in paths, for a library; a program's paths to its library lead out of the tree.
    own_name: Option<String>,
    nodes: Vec<(String, &'a SourceFile)>,
    scopes: Vec<ScopeEntry<'a>>,
    /// Declarations of modules whose files were not found.
    pub(crate) missing: Vec<String>,
}

struct ScopeEntry<'a> {
    parent: Option<Scope>,
    node: Node,
    module: &'a Module,
    children: BTreeMap<&'a str, Scope>,
}

/// What a path names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Target {
    Module(Scope),
    /// An item defined in this module, or so it is assumed where macros define items.
    Item(Scope),
}

impl<'a> ModuleTree<'a> {
    pub(crate) fn read(root: &str, package: &str, files: &'a BTreeMap<String, SourceFile>) -> Self {
        let own_name = root.ends_with("/lib.rs").then(|| package.replace('-', "_"));
        let mut tree = Self { own_name, nodes: Vec::new(), scopes: Vec::new(), missing: Vec::new() };
        let file = files.get(root).unwrap_or_else(|| panic!("{package} names {root}, which does not exist"));
        let folder =
            Path::new(root).parent().map_or_else(String::new, |parent| parent.to_string_lossy().into_owned());
        tree.add_file(file, "crate", None, &folder, files);
        tree
    }

    fn add_file(
        &mut self,
        file: &'a SourceFile,
        name: &str,
        parent: Option<Scope>,
        folder: &str,
        files: &'a BTreeMap<String, SourceFile>,
    ) -> Scope {
        self.nodes.push((name.to_owned(), file));
        self.add_scope(&file.module, parent, self.nodes.len() - 1, folder, files)
    }

    fn add_scope(
        &mut self,
        module: &'a Module,
        parent: Option<Scope>,
        node: Node,
        folder: &str,
        files: &'a BTreeMap<String, SourceFile>,
    ) -> Scope {
        let scope = self.scopes.len();
        self.scopes.push(ScopeEntry { parent, node, module, children: BTreeMap::new() });
        for (name, inline) in &module.inline {
            let child = self.add_scope(inline, Some(scope), node, &format!("{folder}/{name}"), files);
            self.scopes[scope].children.insert(name, child);
        }
        for name in &module.files {
            let Some(file) = self.file_of(node, name, folder, files) else { continue };
            if !file.test_only {
                let full = self.child_name(node, name);
                let child = self.add_file(file, &full, Some(scope), &format!("{folder}/{name}"), files);
                self.scopes[scope].children.insert(name, child);
            }
        }
        scope
    }

    fn child_name(&self, parent: Node, name: &str) -> String {
        if parent == 0 { name.to_owned() } else { format!("{}::{name}", self.nodes[parent].0) }
    }

    fn file_of(
        &mut self,
        parent: Node,
        name: &str,
        folder: &str,
        files: &'a BTreeMap<String, SourceFile>,
    ) -> Option<&'a SourceFile> {
        let candidates = [format!("{folder}/{name}.rs"), format!("{folder}/{name}/mod.rs")];
        let found = candidates.iter().find_map(|path| files.get(path));
        if found.is_none() {
            let declared_in = &self.nodes[parent].1.path;
            self.missing.push(format!(
                "{declared_in} declares `mod {name};`, which is at none of {candidates:?} (this test does not follow #[path])"
            ));
        }
        found
    }

    pub(crate) fn graph(&self) -> ModuleGraph {
        let mut graph = ModuleGraph::new(self.nodes.iter().map(|(name, _)| name.clone()).collect());
        for (scope, entry) in self.scopes.iter().enumerate() {
            for reference in &entry.module.references {
                for target in self.dependencies(scope, reference) {
                    let mention = Mention {
                        file: self.nodes[entry.node].1.path.clone(),
                        line: reference.line,
                        path: reference.path.join("::"),
                    };
                    graph.add(entry.node, target, mention);
                }
            }
        }
        graph
    }

    /// The deepest module that the path passes through, and the one that defines what it names.
    fn dependencies(&self, from: Scope, reference: &Reference) -> BTreeSet<Node> {
        let path = &reference.path;
        let targets = match &path[..] {
            [word] if !reference.in_use && !is_anchor(word) => self.items_from_globs(from, word),
            [word] if !reference.in_use && is_anchor(word) => Vec::new(),
            _ => self.resolve(from, path, &mut BTreeSet::new()),
        };
        let named = self.deepest_named(from, path).filter(|_| !targets.is_empty());
        let nodes = targets.iter().map(|target| self.node(*target)).chain(named);
        nodes.filter(|node| *node != self.scopes[from].node).collect()
    }

    fn node(&self, target: Target) -> Node {
        let (Target::Module(scope) | Target::Item(scope)) = target;
        self.scopes[scope].node
    }

    /// The scope that a path starts in, and the segments that remain.
    fn anchor<'p>(&self, from: Scope, path: &'p [String]) -> Option<(Scope, &'p [String])> {
        let (first, rest) = path.split_first()?;
        let scope = match first.as_str() {
            "crate" => 0,
            "self" => from,
            "super" => self.scopes[from].parent?,
            name if self.own_name.as_deref() == Some(name) => 0,
            _ => return None,
        };
        if rest.first().is_some_and(|next| next == "super") {
            self.anchor(scope, rest)
        } else {
            Some((scope, rest))
        }
    }

    /// None where the path starts with an imported name: the import has its own entry.
    fn deepest_named(&self, from: Scope, path: &[String]) -> Option<Node> {
        let anchored = self.anchor(from, path);
        let (mut scope, rest) = anchored.unwrap_or((from, path));
        for segment in rest {
            let Some(child) = self.scopes[scope].children.get(segment.as_str()) else { break };
            scope = *child;
        }
        (anchored.is_some() || scope != from).then(|| self.scopes[scope].node)
    }

    /// Nothing for a path into another crate.
    fn resolve(&self, from: Scope, path: &[String], seen: &mut BTreeSet<(Scope, String)>) -> Vec<Target> {
        if let Some((scope, rest)) = self.anchor(from, path) {
            return self.descend(scope, rest, seen);
        }
        let Some((first, rest)) = path.split_first() else { return Vec::new() };
        let starts = self.lookup(from, first, seen);
        starts.into_iter().flat_map(|start| self.follow(start, rest, seen)).collect()
    }

    fn descend(&self, scope: Scope, path: &[String], seen: &mut BTreeSet<(Scope, String)>) -> Vec<Target> {
        let Some((first, rest)) = path.split_first() else { return vec![Target::Module(scope)] };
        let found = self.lookup(scope, first, seen);
        if found.is_empty() {
            return vec![Target::Item(scope)];
        }
        found.into_iter().flat_map(|target| self.follow(target, rest, seen)).collect()
    }

    fn follow(&self, target: Target, rest: &[String], seen: &mut BTreeSet<(Scope, String)>) -> Vec<Target> {
        match target {
            Target::Module(scope) => self.descend(scope, rest, seen),
            Target::Item(_) => vec![target],
        }
    }

    /// Everything that a name stands for in a module: a child, an item, what an import or else a glob brings in.
    fn lookup(&self, scope: Scope, name: &str, seen: &mut BTreeSet<(Scope, String)>) -> Vec<Target> {
        if !seen.insert((scope, name.to_owned())) {
            return Vec::new();
        }
        let entry = &self.scopes[scope];
        let child = entry.children.get(name).map(|child| Target::Module(*child));
        let item = entry.module.items.contains(name).then_some(Target::Item(scope));
        let mut found: Vec<_> = child.into_iter().chain(item).collect();
        for import in
            entry.module.imports.iter().filter(|import| import.binds == Binds::Name(name.to_owned()))
        {
            found.extend(self.resolve(scope, &import.path, seen));
        }
        if found.is_empty() {
            found = self.lookup_in_globs(scope, name, seen);
        }
        if found.is_empty() && entry.module.made_by_macros.contains(name) {
            found.push(Target::Item(scope));
        }
        seen.remove(&(scope, name.to_owned()));
        found
    }

    fn lookup_in_globs(&self, scope: Scope, name: &str, seen: &mut BTreeSet<(Scope, String)>) -> Vec<Target> {
        let imports = &self.scopes[scope].module.imports;
        let mut found = Vec::new();
        for glob in imports.iter().filter(|import| import.binds == Binds::Everything) {
            for target in self.resolve(scope, &glob.path, seen) {
                if let Target::Module(source) = target {
                    found.extend(self.lookup(source, name, seen));
                }
            }
        }
        found
    }

    /// A word on its own depends on another module only if a glob brought it in; any other import has its own entry.
    fn items_from_globs(&self, scope: Scope, name: &str) -> Vec<Target> {
        let entry = &self.scopes[scope];
        let imported = entry.module.imports.iter().any(|import| import.binds == Binds::Name(name.to_owned()));
        if imported || entry.children.contains_key(name) || entry.module.items.contains(name) {
            return Vec::new();
        }
        let mut found = self.lookup_in_globs(scope, name, &mut BTreeSet::new());
        found.retain(|target| matches!(target, Target::Item(_)));
        found
    }
}

fn is_anchor(word: &str) -> bool {
    matches!(word, "crate" | "self" | "super" | "Self")
}
