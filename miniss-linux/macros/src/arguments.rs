//! What stands in the parentheses of an attribute.

use std::collections::HashSet;
use std::time::Duration;

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{Error, Expr, ExprLit, Lit, LitBool, LitInt, Path, Token};

use crate::function::Kind;

/// The arguments, checked.
#[derive(Default)]
pub struct Arguments {
    shards: Option<Expr>,
    /// `None` also for all drivers.
    driver: Option<TokenStream>,
    name: Option<Lit>,
    builder: Option<Expr>,
    at: Option<Path>,
    all_drivers: bool,
    seeds: Option<LitInt>,
    deadline: Option<Duration>,
    start_paused: Option<LitBool>,
}

/// `key = value`
struct Argument {
    key: Ident,
    value: Expr,
}

impl Parse for Argument {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        // `crate` is an argument, too.
        let key = input.call(Ident::parse_any)?;
        if !input.peek(Token![=]) {
            return Err(Error::new(key.span(), format!("`{key}` needs a value: `{key} = …`")));
        }
        input.parse::<Token![=]>()?;
        Ok(Self { key, value: input.parse()? })
    }
}

impl Arguments {
    /// All errors go to `errors`, which is told more than one.
    pub fn parse(kind: Kind, tokens: TokenStream, errors: &mut Vec<Error>) -> Self {
        let parser = Punctuated::<Argument, Token![,]>::parse_terminated;
        let list = parser.parse2(tokens).unwrap_or_else(|error| {
            errors.push(error);
            Punctuated::new()
        });
        let (mut arguments, mut seen) = (Self::default(), HashSet::new());
        for Argument { key, value } in list {
            let taken = match seen.insert(key.to_string()) {
                true => arguments.take(kind, &key, value),
                false => Err(Error::new(key.span(), format!("`{key}` is there twice"))),
            };
            errors.extend(taken.err());
        }
        arguments
    }

    fn take(&mut self, kind: Kind, key: &Ident, value: Expr) -> syn::Result<()> {
        match (key.to_string().as_str(), kind) {
            ("shards", _) => self.shards = Some(shards(value)?),
            ("driver", _) => self.take_driver(kind, &value)?,
            ("name", _) => self.name = Some(text(value, "the name of the shards' threads")?),
            ("builder", _) => self.builder = Some(value),
            ("crate", _) => self.at = Some(path(value)?),
            ("seeds", Kind::Test) => self.seeds = Some(count(value)?),
            ("start_paused", Kind::Test) => self.start_paused = Some(truth(value)?),
            ("deadline", Kind::Test) => self.deadline = Some(duration(value)?),
            _ => return Err(Error::new(key.span(), unknown(kind, key))),
        }
        Ok(())
    }

    fn take_driver(&mut self, kind: Kind, value: &Expr) -> syn::Result<()> {
        let word = match value {
            Expr::Path(path) => path.path.get_ident().map(Ident::to_string),
            _ => None,
        };
        let at = value.span();
        self.driver = match (word.as_deref(), kind) {
            (Some("auto"), _) => Some(quote_spanned!(at=> Auto)),
            (Some("io_uring"), _) => Some(quote_spanned!(at=> IoUring)),
            (Some("epoll"), _) => Some(quote_spanned!(at=> Epoll)),
            (Some("all"), Kind::Test) => {
                self.all_drivers = true;
                None
            }
            (_, Kind::Test) => {
                return Err(Error::new(
                    at,
                    "the driver is one of the words auto, io_uring, epoll and all",
                ));
            }
            (_, Kind::Main) => {
                return Err(Error::new(
                    at,
                    "the driver is one of the words auto, io_uring and epoll",
                ));
            }
        };
        Ok(())
    }

    /// The path of miniss-linux.
    pub fn at(&self) -> TokenStream {
        self.at.as_ref().map_or_else(|| quote!(::miniss_linux), ToTokens::to_token_stream)
    }

    /// An expression for the `Builder`.
    pub fn builder(&self, kind: Kind) -> TokenStream {
        let at = self.at();
        let mut tokens = match &self.builder {
            Some(builder) => quote_spanned!(builder.span()=> #at::entry::given(#builder)),
            None => quote!(#at::Runtime::builder()),
        };
        let one = || (kind == Kind::Test && self.builder.is_none()).then(|| quote!(1));
        let shards = self.shards.as_ref().map(ToTokens::to_token_stream).or_else(one);
        tokens.extend(shards.map(|shards| quote_spanned!(shards.span()=> .shards(#shards))));
        tokens.extend(self.driver.as_ref().map(|driver| quote!(.driver(#at::Driver::#driver))));
        tokens.extend(self.name.as_ref().map(|name| quote!(.thread_name(#name))));
        tokens.extend(self.start_paused.as_ref().map(|paused| quote!(.start_paused(#paused))));
        tokens
    }

    /// What a test is told beyond the `Builder`, as calls of `entry::Test`.
    pub fn test_settings(&self) -> TokenStream {
        let mut tokens = TokenStream::new();
        tokens.extend(self.all_drivers.then(|| quote!(.on_each_driver())));
        tokens.extend(self.seeds.as_ref().map(|seeds| quote!(.seeds(#seeds))));
        tokens.extend(self.deadline.map(|deadline| {
            let millis = u64::try_from(deadline.as_millis()).unwrap_or(u64::MAX);
            quote!(.deadline_ms(#millis))
        }));
        tokens
    }
}

fn unknown(kind: Kind, key: &Ident) -> String {
    let known = match kind {
        Kind::Main => "shards, driver, name, builder and crate",
        Kind::Test => "shards, driver, name, builder, seeds, deadline, start_paused and crate",
    };
    format!("there is no argument `{key}`; there are {known}")
}

/// A literal is checked here; what other expressions give, as the runtime is built.
fn shards(value: Expr) -> syn::Result<Expr> {
    if matches!(value, Expr::Lit(_)) {
        count(value.clone())?;
    }
    Ok(value)
}

/// A whole number from 1.
fn count(value: Expr) -> syn::Result<LitInt> {
    let at = value.span();
    match value {
        Expr::Lit(ExprLit { lit: Lit::Int(number), .. }) => match number.base10_parse::<u64>()? {
            0 => Err(Error::new(at, "there must be one or more")),
            _ => Ok(number),
        },
        _ => Err(Error::new(at, "this must be a whole number, such as 2")),
    }
}

fn truth(value: Expr) -> syn::Result<LitBool> {
    let at = value.span();
    match value {
        Expr::Lit(ExprLit { lit: Lit::Bool(truth), .. }) => Ok(truth),
        _ => Err(Error::new(at, "this must be true or false")),
    }
}

fn text(value: Expr, what: &str) -> syn::Result<Lit> {
    let at = value.span();
    match value {
        Expr::Lit(ExprLit { lit: lit @ Lit::Str(_), .. }) => Ok(lit),
        _ => Err(Error::new(at, format!("{what} must be a string, such as \"worker\""))),
    }
}

/// A path, or a string with one.
fn path(value: Expr) -> syn::Result<Path> {
    let at = value.span();
    match value {
        Expr::Path(path) if path.qself.is_none() => Ok(path.path),
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => text.parse(),
        _ => Err(Error::new(at, "this must be the path of miniss-linux, such as other::name")),
    }
}

/// Such as `"10 s"`.
fn duration(value: Expr) -> syn::Result<Duration> {
    let at = value.span();
    let text = match value {
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => text.value(),
        _ => return Err(no_duration(at)),
    };
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let unit_ms = match unit.trim() {
        "ms" => 1,
        "s" => 1_000,
        "min" => 60_000,
        _ => return Err(no_duration(at)),
    };
    let number: u64 = number.parse().map_err(|_| no_duration(at))?;
    match number.checked_mul(unit_ms) {
        Some(0) => Err(Error::new(at, "nothing is done after no time")),
        Some(millis) => Ok(Duration::from_millis(millis)),
        None => Err(no_duration(at)),
    }
}

fn no_duration(at: Span) -> Error {
    Error::new(at, "a deadline is a number and `ms`, `s` or `min`, such as \"10 s\"")
}
