//! Commands about the connection: `PING`, `HELLO`, `CLIENT` and the like.
//!
//! `socket ─▶ parser ─▶ [route] ─▶ batch ─▶ store ─▶ reply ─▶ socket`
#![forbid(unsafe_code)]

use super::call::{Done, Fault, Talk};
use super::info::REDIS_VERSION;
use super::modes::Mode;
use super::server::{Subcommand, dispatch, help};
use crate::resp::number::parse_i64;
use crate::resp::{Output, Proto, reply};
use crate::session::Session;

/// `PING [message]`
pub fn ping(talk: &mut Talk<'_>) -> Done {
    match talk.args.len() {
        1 => reply::simple(talk.out, "PONG"),
        2 => reply::bulk(talk.out, talk.args.at(1)),
        _ => return Err(Fault::Arity("ping")),
    }
    Ok(())
}

/// `ECHO message`
pub fn echo(talk: &mut Talk<'_>) -> Done {
    reply::bulk(talk.out, talk.args.at(1));
    Ok(())
}

/// `QUIT`
pub fn quit(talk: &mut Talk<'_>) -> Done {
    talk.session.closing = true;
    reply::ok(talk.out);
    Ok(())
}

/// `SELECT index`: there is one database. A client that wants another is refused what follows.
pub fn select(talk: &mut Talk<'_>) -> Done {
    let index = parse_i64(talk.args.at(1)).ok_or(Fault::NOT_INTEGER)?;
    talk.session.mode = (index != 0).then_some(Mode::Database);
    if index != 0 {
        return Err(Fault::Text("ERR DB index is out of range"));
    }
    reply::ok(talk.out);
    Ok(())
}

/// `RESET`: the connection is as it was at its beginning.
pub fn reset(talk: &mut Talk<'_>) -> Done {
    *talk.session = Session::new(talk.session.id);
    reply::simple(talk.out, "RESET");
    Ok(())
}

/// `AUTH [user] password`: there is one user, and no password.
pub fn auth(talk: &mut Talk<'_>) -> Done {
    match talk.args.len() {
        2 => Err(Fault::Text(
            "ERR AUTH <password> called without any password configured for the default user. \
             Are you sure your configuration is correct?",
        )),
        3 => {
            check_user(talk.args.at(1))?;
            reply::ok(talk.out);
            Ok(())
        }
        _ => Err(Fault::SYNTAX),
    }
}

fn check_user(user: &[u8]) -> Done {
    match user {
        b"default" => Ok(()),
        _ => Err(Fault::Text("WRONGPASS invalid username-password pair or user is disabled.")),
    }
}

/// `HELLO [version [AUTH user password] [SETNAME name]]`
pub fn hello(talk: &mut Talk<'_>) -> Done {
    let args = talk.args;
    let proto = if args.len() > 1 { protocol(args.at(1))? } else { talk.session.proto };
    let mut index = 2;
    // What comes before a mistake has its effect.
    while index < args.len() {
        let after = args.len() - 1 - index;
        if after >= 2 && args.is(index, "auth") {
            check_user(args.at(index + 1))?;
            index += 3;
        } else if after >= 1 && args.is(index, "setname") {
            set_name(talk, args.at(index + 1))?;
            index += 2;
        } else {
            return Err(Fault::quoting("ERR Syntax error in HELLO option '", args.at(index), "'"));
        }
    }
    talk.session.proto = proto;
    let (id, out) = (talk.session.id, &mut *talk.out);
    reply::map(out, proto, 7);
    write_pair(out, "server", "redis");
    write_pair(out, "version", REDIS_VERSION);
    reply::bulk(out, b"proto");
    reply::integer(out, if proto == Proto::Resp3 { 3 } else { 2 });
    reply::bulk(out, b"id");
    reply::integer(out, id as i64);
    write_pair(out, "mode", "standalone");
    write_pair(out, "role", "master");
    reply::bulk(out, b"modules");
    reply::array(out, 0);
    Ok(())
}

fn write_pair(out: &mut Output, key: &str, value: &str) {
    reply::bulk(out, key.as_bytes());
    reply::bulk(out, value.as_bytes());
}

fn protocol(text: &[u8]) -> Result<Proto, Fault> {
    match parse_i64(text) {
        Some(2) => Ok(Proto::Resp2),
        Some(3) => Ok(Proto::Resp3),
        Some(_) => Err(Fault::Text("NOPROTO unsupported protocol version")),
        None => Err(Fault::Text("ERR Protocol version is not an integer or out of range")),
    }
}

/// What `CLIENT` can be followed by.
pub const SUBCOMMANDS: &[Subcommand] = &[
    ("client|getname", 2, client_getname),
    ("client|help", 2, help),
    ("client|id", 2, client_id),
    ("client|reply", 3, client_reply),
    ("client|setinfo", 4, client_setinfo),
    ("client|setname", 3, client_setname),
];

/// `CLIENT GETNAME | HELP | ID | REPLY ON | SETNAME name | SETINFO attribute value`
pub fn client(talk: &mut Talk<'_>) -> Done {
    dispatch(talk, "CLIENT", SUBCOMMANDS)
}

fn client_id(talk: &mut Talk<'_>) -> Done {
    reply::integer(talk.out, talk.session.id as i64);
    Ok(())
}

fn client_getname(talk: &mut Talk<'_>) -> Done {
    match talk.session.name.as_slice() {
        [] => reply::null(talk.out, talk.session.proto),
        name => reply::bulk(talk.out, name),
    }
    Ok(())
}

/// Replies are always on. A client that wants none would take them for replies to something else.
fn client_reply(talk: &mut Talk<'_>) -> Done {
    if talk.args.is(2, "on") {
        reply::ok(talk.out);
        return Ok(());
    }
    if !talk.args.is(2, "off") && !talk.args.is(2, "skip") {
        return Err(Fault::SYNTAX);
    }
    talk.session.closing = true;
    Err(Fault::Text("ERR replies cannot be left out; the connection is closed"))
}

fn client_setname(talk: &mut Talk<'_>) -> Done {
    set_name(talk, talk.args.at(2))?;
    reply::ok(talk.out);
    Ok(())
}

/// The library's name and version are checked and forgotten: nothing shows them.
fn client_setinfo(talk: &mut Talk<'_>) -> Done {
    let (attribute, value) = (talk.args.at(2), talk.args.at(3));
    let name = String::from_utf8_lossy(attribute);
    if !talk.args.is(2, "lib-name") && !talk.args.is(2, "lib-ver") {
        return Err(Fault::quoting("ERR Unrecognized option '", attribute, "'"));
    }
    if !printable(value) {
        let after = " cannot contain spaces, newlines or special characters.";
        return Err(Fault::quoting("ERR ", name.to_lowercase().as_bytes(), after));
    }
    reply::ok(talk.out);
    Ok(())
}

fn set_name(talk: &mut Talk<'_>, name: &[u8]) -> Done {
    if !printable(name) {
        return Err(Fault::Text(
            "ERR Client names cannot contain spaces, newlines or special characters.",
        ));
    }
    talk.session.name = name.to_vec();
    Ok(())
}

fn printable(text: &[u8]) -> bool {
    text.iter().all(|byte| matches!(byte, b'!'..=b'~'))
}
