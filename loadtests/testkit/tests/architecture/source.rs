//! What one Rust file says: the names that each of its modules defines and imports, and every path that it mentions.

use std::collections::BTreeSet;

use proc_macro2::TokenStream;
use syn::visit::{self, Visit};
use syn::{Attribute, Item, ItemMacro, ItemMod, ItemUse, Macro, Meta, Path, Token, VisRestricted};

use crate::function::{Function, functions};
use crate::reference::{Import, Reference, imports};
use crate::tokens;

#[derive(Debug)]
pub(crate) struct SourceFile {
    /// Relative to the workspace's root.
    pub(crate) path: String,
    pub(crate) text: String,
    pub(crate) functions: Vec<Function>,
    pub(crate) module: Module,
    /// The file begins with `#![cfg(test)]`.
    pub(crate) test_only: bool,
}

/// A module: that of a file, or an inline one. What is compiled for tests alone is left out.
#[derive(Debug, Default)]
pub(crate) struct Module {
    pub(crate) items: BTreeSet<String>,
    /// Identifiers in the arguments of macros called where items stand: some of them may name items that the macro makes.
    pub(crate) made_by_macros: BTreeSet<String>,
    pub(crate) imports: Vec<Import>,
    pub(crate) references: Vec<Reference>,
    pub(crate) inline: Vec<(String, Module)>,
    /// `mod name;`
    pub(crate) files: Vec<String>,
}

impl SourceFile {
    pub(crate) fn parse(path: &str, text: String) -> Self {
        let syntax = syn::parse_file(&text).unwrap_or_else(|error| panic!("{path} does not parse: {error}"));
        Self {
            path: path.to_owned(),
            functions: functions(&syntax),
            test_only: is_test_only(&syntax.attrs),
            module: Module::read(&syntax.items, &syntax.attrs),
            text,
        }
    }
}

impl Module {
    fn read(items: &[Item], attributes: &[Attribute]) -> Self {
        let mut references = References::default();
        attributes.iter().for_each(|attribute| references.visit_attribute(attribute));
        let mut module = Self::default();
        for item in items.iter().filter(|item| !is_test_only(attributes_of(item))) {
            module.declare(item);
            references.visit_item(item);
        }
        module.references = references.found;
        module
    }

    fn declare(&mut self, item: &Item) {
        let name = match item {
            Item::Const(item) => &item.ident,
            Item::Enum(item) => &item.ident,
            Item::Fn(item) => &item.sig.ident,
            Item::Static(item) => &item.ident,
            Item::Struct(item) => &item.ident,
            Item::Trait(item) => &item.ident,
            Item::Type(item) => &item.ident,
            Item::Union(item) => &item.ident,
            Item::Macro(ItemMacro { ident: Some(name), .. }) => name,
            Item::Macro(item) => {
                return tokens::identifiers(item.mac.tokens.clone(), &mut self.made_by_macros);
            }
            Item::Mod(item) => return self.declare_module(item),
            Item::Use(item) => return self.imports.extend(imports(item)),
            _ => return,
        };
        self.items.insert(name.to_string());
    }

    fn declare_module(&mut self, item: &ItemMod) {
        let name = item.ident.to_string();
        match &item.content {
            Some((_, items)) => self.inline.push((name, Self::read(items, &item.attrs))),
            None => self.files.push(name),
        }
    }

    /// Its own, and those of its inline modules.
    pub(crate) fn all_references(&self) -> Vec<&Reference> {
        let inner = self.inline.iter().flat_map(|(_, module)| module.all_references());
        self.references.iter().chain(inner).collect()
    }
}

#[derive(Default)]
struct References {
    found: Vec<Reference>,
}

impl<'ast> Visit<'ast> for References {
    fn visit_item(&mut self, item: &'ast Item) {
        // An inline module collects its own.
        if !matches!(item, Item::Mod(_)) && !is_test_only(attributes_of(item)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_impl_item_fn(&mut self, method: &'ast syn::ImplItemFn) {
        if !is_test_only(&method.attrs) {
            visit::visit_impl_item_fn(self, method);
        }
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        self.found.extend(imports(item).into_iter().map(Reference::from));
    }

    /// `pub(super)` and `pub(in path)` depend on nothing.
    fn visit_vis_restricted(&mut self, _: &'ast VisRestricted) {}

    fn visit_path(&mut self, path: &'ast Path) {
        if path.leading_colon.is_none() {
            let line = path.segments.first().map_or(0, |segment| segment.ident.span().start().line);
            let path = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
            self.found.push(Reference { path, line, in_use: false });
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast Macro) {
        self.visit_path(&call.path);
        // A rule's relative paths belong to the module that calls it, `$crate` paths to the one that defines it.
        let defines_rules = call.path.is_ident("macro_rules");
        let found = tokens::references(call.tokens.clone());
        self.found.extend(found.into_iter().filter(|found| !defines_rules || found.path[0] == "crate"));
    }

    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        self.visit_path(attribute.path());
        match &attribute.meta {
            Meta::List(list) => {
                self.found.extend(tokens::references(list.tokens.clone()));
                self.found.extend(tokens::quoted_paths(list.tokens.clone()));
            }
            Meta::NameValue(pair) => self.visit_expr(&pair.value),
            Meta::Path(_) => {}
        }
    }
}

/// `#[cfg(test)]` or `#[cfg(all(test, ..))]`.
fn is_test_only(attributes: &[Attribute]) -> bool {
    attributes.iter().filter(|attribute| attribute.path().is_ident("cfg")).any(|attribute| {
        attribute.parse_args::<Meta>().is_ok_and(|condition| match condition {
            Meta::Path(path) => path.is_ident("test"),
            Meta::List(list) if list.path.is_ident("all") => names_test(list.tokens),
            _ => false,
        })
    })
}

fn names_test(conditions: TokenStream) -> bool {
    let parser = syn::punctuated::Punctuated::<Meta, Token![,]>::parse_terminated;
    syn::parse::Parser::parse2(parser, conditions)
        .is_ok_and(|all| all.iter().any(|condition| condition.path().is_ident("test")))
}

fn attributes_of(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Union(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}
