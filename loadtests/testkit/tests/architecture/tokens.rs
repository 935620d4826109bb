//! Paths in token streams that are not parsed: the arguments of macros and of attributes.

use std::collections::BTreeSet;

use proc_macro2::{TokenStream, TokenTree};
use syn::{ItemUse, LitStr, Path};

use crate::reference::{Reference, imports};

/// Every `a::b`, and every `use` declaration.
pub(crate) fn references(tokens: TokenStream) -> Vec<Reference> {
    let trees: Vec<TokenTree> = tokens.into_iter().collect();
    let mut found = Vec::new();
    let mut at = 0;
    while at < trees.len() {
        match &trees[at] {
            TokenTree::Group(group) => found.extend(references(group.stream())),
            TokenTree::Ident(word) if word == "use" => {
                at += use_declaration(&trees[at..], &mut found);
                continue;
            }
            TokenTree::Ident(word) => {
                let path = path_at(&trees[at..]);
                let width = 3 * path.len() - 2;
                if path.len() > 1 && !follows_a_separator(&trees, at) {
                    found.push(Reference { path, line: word.span().start().line, in_use: false });
                }
                at += width;
                continue;
            }
            TokenTree::Punct(_) | TokenTree::Literal(_) => {}
        }
        at += 1;
    }
    found
}

/// Attributes such as `#[serde(with = "super::form")]` name modules in strings.
pub(crate) fn quoted_paths(tokens: TokenStream) -> Vec<Reference> {
    let mut found = Vec::new();
    for tree in tokens {
        match tree {
            TokenTree::Group(group) => found.extend(quoted_paths(group.stream())),
            TokenTree::Literal(literal) => {
                let line = literal.span().start().line;
                let quoted = syn::parse_str::<LitStr>(&literal.to_string());
                if let Some(path) = quoted.ok().and_then(|text| text.parse::<Path>().ok()) {
                    let path = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
                    found.push(Reference { path, line, in_use: false });
                }
            }
            TokenTree::Punct(_) | TokenTree::Ident(_) => {}
        }
    }
    found
}

pub(crate) fn identifiers(tokens: TokenStream, found: &mut BTreeSet<String>) {
    for tree in tokens {
        match tree {
            TokenTree::Group(group) => identifiers(group.stream(), found),
            TokenTree::Ident(word) => {
                found.insert(word.to_string());
            }
            TokenTree::Punct(_) | TokenTree::Literal(_) => {}
        }
    }
}

/// Returns how many tokens the declaration takes.
fn use_declaration(trees: &[TokenTree], found: &mut Vec<Reference>) -> usize {
    let ends = |tree: &TokenTree| matches!(tree, TokenTree::Punct(mark) if mark.as_char() == ';');
    let Some(end) = trees.iter().position(ends) else { return 1 };
    let Ok(item) = syn::parse2::<ItemUse>(trees[..=end].iter().cloned().collect()) else { return 1 };
    found.extend(imports(&item).into_iter().map(Reference::from));
    end + 1
}

fn path_at(trees: &[TokenTree]) -> Vec<String> {
    let mut path = Vec::new();
    let mut rest = trees;
    while let [TokenTree::Ident(word), after @ ..] = rest {
        path.push(word.to_string());
        match after {
            [TokenTree::Punct(first), TokenTree::Punct(second), next @ ..]
                if first.as_char() == ':'
                    && second.as_char() == ':'
                    && matches!(next, [TokenTree::Ident(_), ..]) =>
            {
                rest = next;
            }
            _ => break,
        }
    }
    path
}

/// What follows `::` or a single `.` is the end of another expression.
fn follows_a_separator(trees: &[TokenTree], at: usize) -> bool {
    let is = |back: usize, mark: char| {
        at.checked_sub(back)
            .is_some_and(|at| matches!(&trees[at], TokenTree::Punct(punct) if punct.as_char() == mark))
    };
    (is(1, ':') && is(2, ':')) || (is(1, '.') && !is(2, '.'))
}
