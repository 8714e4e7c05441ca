//! The function that an attribute stands on, and what becomes of it.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Attribute, Error, ItemFn, Meta, ReturnType, Signature};

use crate::arguments::Arguments;

/// Which attribute it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Main,
    Test,
}

pub fn expand(kind: Kind, arguments: TokenStream, item: TokenStream) -> TokenStream {
    let function: ItemFn = match syn::parse2(item.clone()) {
        Ok(function) => function,
        Err(error) => {
            // What is no function stays as it is, so that its own errors are told, too.
            let told = error.to_compile_error();
            return quote!(#told #item);
        }
    };
    let mut errors = Vec::new();
    let arguments = Arguments::parse(kind, arguments, &mut errors);
    refuse(kind, &function, &mut errors);
    match (errors.is_empty(), kind) {
        (false, _) => refused(&errors, function),
        (true, Kind::Main) => main(&arguments, function),
        (true, Kind::Test) => test(&arguments, function),
    }
}

fn main(arguments: &Arguments, function: ItemFn) -> TokenStream {
    let (at, builder) = (arguments.at(), arguments.builder(Kind::Main));
    let ItemFn { attrs, vis, sig: inner, block } = function;
    let outer = Signature { asyncness: None, ..inner.clone() };
    let name = &inner.ident;
    // The error that a type is no output of `main` belongs there.
    let run = quote_spanned!(inner.output.span()=> #at::entry::main(#builder, #name()));
    quote! {
        #(#attrs)*
        #vis #outer {
            #inner #block
            #run
        }
    }
}

fn test(arguments: &Arguments, function: ItemFn) -> TokenStream {
    let (at, builder) = (arguments.at(), arguments.builder(Kind::Test));
    let ItemFn { attrs, vis, sig: inner, block } = function;
    let panics = attrs.iter().any(|attribute| attribute.path().is_ident("should_panic"));
    let panics = panics.then(|| quote!(.panics()));
    let (settings, name) = (arguments.test_settings(), &inner.ident);
    // As in `main`.
    let run = quote_spanned!(inner.output.span()=> .run(#name));
    let run = quote!(#at::entry::Test::new(#builder) #settings #panics #run);
    // A test that should panic may return nothing, not even a code.
    let (output, run) = match inner.output {
        ReturnType::Default => (None, quote!({ #run; })),
        ReturnType::Type(..) => (Some(quote!(-> ::std::process::ExitCode)), run),
    };
    quote! {
        #[::core::prelude::v1::test]
        #(#attrs)*
        #vis fn #name() #output {
            #inner #block
            #run
        }
    }
}

/// What a function must not be.
fn refuse(kind: Kind, function: &ItemFn, errors: &mut Vec<Error>) {
    let signature = &function.sig;
    let mut error = |at: &dyn ToTokens, what: &str| errors.push(Error::new_spanned(at, what));
    if signature.asyncness.is_none() {
        error(&signature.fn_token, "the function must be async: `async fn`");
    }
    if !signature.inputs.is_empty() {
        error(&signature.inputs, "no one is there to give arguments to this function");
    }
    if !signature.generics.params.is_empty() || signature.generics.where_clause.is_some() {
        error(&signature.generics, "no one is there to choose what is generic in this function");
    }
    if let Some(word) = &signature.unsafety {
        error(word, "the function is called from safe code, so it must be safe");
    }
    if let Some(abi) = &signature.abi {
        error(abi, "the function is called from Rust");
    }
    if let Some(attribute) = function.attrs.iter().find(|attribute| is_test(attribute)) {
        let what = match kind {
            Kind::Main => "a `main` is no test; `#[miniss_linux::test]` makes one",
            Kind::Test => "this is a test already: it would run twice",
        };
        error(attribute, what);
    }
}

/// Whether it is `#[test]`, or a test of another crate.
fn is_test(attribute: &Attribute) -> bool {
    let last = attribute.path().segments.last();
    let is_bare = matches!(attribute.meta, Meta::Path(_) | Meta::List(_));
    is_bare && last.is_some_and(|last| last.ident == "test")
}

/// The errors, and a function of that name, so that no one misses it.
fn refused(errors: &[Error], function: ItemFn) -> TokenStream {
    let errors = errors.iter().map(Error::to_compile_error);
    let (vis, signature) = (function.vis, function.sig);
    let (name, output) = (signature.ident, signature.output);
    quote! {
        #(#errors)*
        #[allow(dead_code)]
        #vis fn #name() #output {
            ::core::unreachable!()
        }
    }
}
