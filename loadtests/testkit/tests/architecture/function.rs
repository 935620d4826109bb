//! The length of functions.

use proc_macro2::Span;
use syn::visit::{self, Visit};
use syn::{Block, ImplItemFn, ItemFn, Signature, TraitItemFn};

#[derive(Debug, Clone)]
pub(crate) struct Function {
    pub(crate) name: String,
    pub(crate) line: usize,
    /// From the signature to the closing brace; comments and attributes above do not count.
    pub(crate) lines: usize,
}

/// Functions and methods with bodies, those of tests included.
pub(crate) fn functions(syntax: &syn::File) -> Vec<Function> {
    let mut found = Functions(Vec::new());
    found.visit_file(syntax);
    found.0
}

struct Functions(Vec<Function>);

impl Functions {
    fn measure(&mut self, signature: &Signature, body: &Block) {
        let line = first_line(signature);
        let end: Span = body.brace_token.span.close();
        self.0.push(Function { name: signature.ident.to_string(), line, lines: end.end().line - line + 1 });
    }
}

fn first_line(signature: &Signature) -> usize {
    let qualifier = signature.constness.as_ref().map(|token| token.span);
    let qualifier = qualifier.or(signature.asyncness.as_ref().map(|token| token.span));
    qualifier.unwrap_or(signature.fn_token.span).start().line
}

impl<'ast> Visit<'ast> for Functions {
    fn visit_item_fn(&mut self, item: &'ast ItemFn) {
        self.measure(&item.sig, &item.block);
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast ImplItemFn) {
        self.measure(&item.sig, &item.block);
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_trait_item_fn(&mut self, item: &'ast TraitItemFn) {
        if let Some(body) = &item.default {
            self.measure(&item.sig, body);
        }
        visit::visit_trait_item_fn(self, item);
    }
}
