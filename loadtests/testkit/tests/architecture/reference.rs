//! The paths that a module mentions, and the names that its `use` declarations bring in.

use proc_macro2::{Ident, Span};
use syn::{ItemUse, UseRename, UseTree};

/// One name, or one glob, of a `use` declaration among the module's items.
#[derive(Debug, Clone)]
pub(crate) struct Import {
    pub(crate) path: Vec<String>,
    pub(crate) line: usize,
    pub(crate) binds: Binds,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Binds {
    Name(String),
    Everything,
    /// `use path as _`
    Nothing,
}

#[derive(Debug, Clone)]
pub(crate) struct Reference {
    pub(crate) path: Vec<String>,
    pub(crate) line: usize,
    /// In a `use` declaration even a single segment names a module; elsewhere it is a variable or an item.
    pub(crate) in_use: bool,
}

impl From<Import> for Reference {
    fn from(import: Import) -> Self {
        Self { path: import.path, line: import.line, in_use: true }
    }
}

/// One entry for each name that the declaration brings in.
pub(crate) fn imports(item: &ItemUse) -> Vec<Import> {
    let mut found = Vec::new();
    if item.leading_colon.is_none() {
        flatten(&item.tree, &[], &mut found);
    }
    found
}

fn flatten(tree: &UseTree, prefix: &[String], found: &mut Vec<Import>) {
    let mut import = |path: Vec<String>, span: Span, binds| {
        found.push(Import { path, line: span.start().line, binds });
    };
    match tree {
        UseTree::Path(tree) => flatten(&tree.tree, &extended(prefix, &tree.ident), found),
        UseTree::Group(group) => group.items.iter().for_each(|tree| flatten(tree, prefix, found)),
        UseTree::Glob(glob) => import(prefix.to_vec(), glob.star_token.span, Binds::Everything),
        UseTree::Name(name) => {
            let path = extended(prefix, &name.ident);
            let binds = path.last().cloned().map_or(Binds::Nothing, Binds::Name);
            import(path, name.ident.span(), binds);
        }
        UseTree::Rename(UseRename { ident, rename, .. }) => {
            let binds = if rename == "_" { Binds::Nothing } else { Binds::Name(rename.to_string()) };
            import(extended(prefix, ident), ident.span(), binds);
        }
    }
}

/// `a::b::{self}` is `a::b`.
fn extended(prefix: &[String], segment: &Ident) -> Vec<String> {
    let mut path = prefix.to_vec();
    if segment != "self" || path.is_empty() {
        path.push(segment.to_string());
    }
    path
}
