//! Removing secrets from rows before anything of them is stored: bronze, JSON text in a column, `_extra`,
//! quarantine.
//!
//! Affise sends live API keys and password hashes inside affiliates, managers and advertisers. A
//! member whose name says that it is a secret is cut out of the row's text; every other byte stays
//! as it came, so numbers keep their digits and strings their escapes. A line that is no JSON loses
//! what stands behind such a name.

use std::{
    borrow::Cow,
    sync::{LazyLock, PoisonError, RwLock},
};

use memchr::{memchr, memchr2};
use regex::bytes::Regex;
use secrecy::{ExposeSecret, SecretString};

/// Parts of a name, in lower case and without separators, that make it a secret.
const PARTS: [&str; 7] = [
    "apikey",
    "password",
    "passwd",
    "secret",
    "privatekey",
    "accesskey",
    "passphrase",
];
/// Names, in lower case and without separators, that are secrets as a whole.
const NAMES: [&str; 8] = [
    "token",
    "accesstoken",
    "refreshtoken",
    "authtoken",
    "apitoken",
    "bearertoken",
    "sessiontoken",
    "securitytoken",
];

/// Finds every row that may hold such a name, also one spelled with `\u00XX` escapes. Most rows do
/// not match and are never looked at again.
static SUSPECT: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let sep = r#"[^a-z0-9"]{0,2}"#;
    let pattern = format!(
        r"(?i-u)api{sep}key|pass{sep}w|pass{sep}phrase|secret|token|private{sep}key|access{sep}key|\\u00[4-7]"
    );
    Regex::new(&pattern).ok()
});

/// A name and what separates it from its value, in text that need not be JSON.
static NAME: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let json = r#"(?P<name>"(?:[^"\\]|\\.)*")\s*:\s*"#;
    let word = r#"(?i-u:[a-z_-]*(?:api[_-]?key|password|passwd|secret|token))"?\s*[:=]\s*"#;
    Regex::new(&format!("{json}|{word}")).ok()
});

/// What is put in the place of a secret where the name stays.
const REMOVED: &[u8] = b"(secret removed)";

/// Whether a row could hold a secret, also in broken JSON. True too often, never too seldom.
#[must_use]
pub fn may_hold_secrets(row: &[u8]) -> bool {
    SUSPECT.as_ref().is_none_or(|suspect| suspect.is_match(row))
}

/// Whether a member's name, as it stands between its quotes, says that the value is a secret.
#[inline]
#[must_use]
pub fn names_a_secret(name: &[u8], escaped: bool) -> bool {
    // Every such name has one of these pairs; nearly all others have none.
    let suspicious = |pair: &[u8]| {
        matches!(
            [pair[0] | 0x20, pair[1] | 0x20],
            [b'k', b'e'] | [b's', b's'] | [b'e', b'c']
        )
    };
    (escaped || name.windows(2).any(suspicious)) && is_secret(name, escaped)
}

/// What may be kept of a line that is not JSON: values behind the names of secrets are blanked.
#[must_use]
pub fn redact(line: &[u8]) -> Vec<u8> {
    let Some(names) = &*NAME else {
        return REMOVED.to_vec();
    };
    let mut out = Vec::with_capacity(line.len());
    let (mut at, mut done) = (0, 0);
    while let Some(found) = names.captures_at(line, at) {
        let (Some(whole), name) = (found.get(0), found.name("name")) else {
            break;
        };
        at = whole.end();
        let quoted = name.map(|name| name.as_bytes());
        if quoted.is_some_and(|quoted| {
            !names_a_secret(
                &quoted[1..quoted.len() - 1],
                memchr(b'\\', quoted).is_some(),
            )
        }) {
            continue;
        }
        let start = at + usize::from(line.get(at) == Some(&b'"'));
        let length = line[start..]
            .iter()
            .position(|byte| b"\",}&".contains(byte));
        out.extend_from_slice(&line[done..start]);
        out.extend_from_slice(REMOVED);
        done = length.map_or(line.len(), |length| start + length);
        at = done;
    }
    out.extend_from_slice(&line[done..]);
    out
}

/// Values that this process has read or was given as credentials: they must not stand in a log.
static KNOWN: RwLock<Vec<SecretString>> = RwLock::new(Vec::new());

/// Shortest value that is looked for: a shorter one would blank ordinary words.
const SHORTEST_KNOWN: usize = 8;

/// `Bearer` and what follows it.
static BEARER: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"(?i-u)(bearer|basic) +[a-z0-9._~+/=-]+").ok());

/// Remembers a credential, so that [`redact_log`] takes it out whatever stands before it.
pub fn remember(value: &str) {
    let value = value.trim();
    if value.len() < SHORTEST_KNOWN {
        return;
    }
    let mut known = KNOWN.write().unwrap_or_else(PoisonError::into_inner);
    if !known.iter().any(|one| one.expose_secret() == value) {
        known.push(SecretString::from(value));
    }
}

/// What may be kept of lines of the program's own log: no value of a credential that was read, nothing behind the
/// names of secrets.
#[must_use]
pub fn redact_log(lines: &[u8]) -> Vec<u8> {
    let mut text = String::from_utf8_lossy(lines).into_owned();
    for known in KNOWN.read().unwrap_or_else(PoisonError::into_inner).iter() {
        if text.contains(known.expose_secret()) {
            text = text.replace(known.expose_secret(), "(secret removed)");
        }
    }
    let text = match &*BEARER {
        Some(bearer) => bearer
            .replace_all(text.as_bytes(), &b"$1 (secret removed)"[..])
            .into_owned(),
        None => text.into_bytes(),
    };
    text.split_inclusive(|byte| *byte == b'\n')
        .flat_map(|line| {
            let (body, end) = match line.strip_suffix(b"\n") {
                Some(body) => (body, &b"\n"[..]),
                None => (line, &b""[..]),
            };
            let mut kept = match may_hold_secrets(body) {
                true => redact(body),
                false => body.to_vec(),
            };
            kept.extend_from_slice(end);
            kept
        })
        .collect()
}

/// The row without its secrets; borrowed when it holds none.
#[must_use]
pub fn without_secrets(row: &[u8]) -> Cow<'_, [u8]> {
    match &*SUSPECT {
        Some(suspect) if !suspect.is_match(row) => Cow::Borrowed(row),
        _ => cut(row),
    }
}

/// A string of valid JSON that a colon follows is a name, so no nesting has to be kept track of.
fn cut(row: &[u8]) -> Cow<'_, [u8]> {
    let mut kept: Option<Vec<u8>> = None;
    // Everything before `done` is in `kept`, if that exists.
    let (mut at, mut done) = (0, 0);
    while let Some(start) = memchr(b'"', &row[at..]).map(|found| at + found) {
        let end = string_end(row, start);
        let colon = skip_space(row, end);
        let name = row.get(start + 1..end - 1).unwrap_or_default();
        let named = row.get(colon) == Some(&b':');
        if !named || !names_a_secret(name, memchr(b'\\', name).is_some()) {
            at = end;
            continue;
        }
        let kept = kept.get_or_insert_with(|| Vec::with_capacity(row.len()));
        kept.extend_from_slice(&row[done..start]);
        let value_end = value_end(row, skip_space(row, colon + 1));
        let after = skip_space(row, value_end);
        if row.get(after) == Some(&b',') {
            done = skip_space(row, after + 1);
        } else {
            // The last member: the comma before it goes too.
            kept.truncate(kept.trim_ascii_end().len());
            if kept.last() == Some(&b',') {
                kept.pop();
            }
            done = value_end;
        }
        at = done;
    }
    match kept {
        None => Cow::Borrowed(row),
        Some(mut kept) => {
            kept.extend_from_slice(&row[done..]);
            Cow::Owned(kept)
        }
    }
}

/// Just behind the string that begins at `start`; the row's end when it is cut off.
fn string_end(row: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while let Some(found) = row.get(at..).and_then(|rest| memchr2(b'"', b'\\', rest)) {
        if row[at + found] == b'"' {
            return at + found + 1;
        }
        at += found + 2;
    }
    row.len()
}

/// Just behind the value that begins at `start`, whatever it is.
fn value_end(row: &[u8], start: usize) -> usize {
    let (mut at, mut depth) = (start, 0_usize);
    while let Some(byte) = row.get(at) {
        match byte {
            b'"' => {
                at = string_end(row, at);
                if depth == 0 {
                    return at;
                }
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' | b',' if depth == 0 => return at - trailing_space(&row[start..at]),
            b'}' | b']' => {
                depth -= 1;
                if depth == 0 {
                    return at + 1;
                }
            }
            _ => {}
        }
        at += 1;
    }
    row.len()
}

fn trailing_space(text: &[u8]) -> usize {
    text.len() - text.trim_ascii_end().len()
}

fn skip_space(row: &[u8], from: usize) -> usize {
    let rest = row.get(from..).unwrap_or_default();
    from + (rest.len() - rest.trim_ascii_start().len())
}

/// The full look at a name, letter by letter.
fn is_secret(name: &[u8], escaped: bool) -> bool {
    let text = String::from_utf8_lossy(name);
    let name: Cow<'_, str> = if escaped {
        // Escapes may hide letters.
        match serde_json::from_str::<String>(&format!("\"{text}\"")) {
            Ok(plain) => plain.into(),
            Err(_) => text,
        }
    } else {
        text
    };
    let letters = name.chars().filter(char::is_ascii_alphanumeric);
    let plain: String = letters.map(|letter| letter.to_ascii_lowercase()).collect();
    NAMES.contains(&plain.as_str()) || PARTS.iter().any(|part| plain.contains(part))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Map, Value, json};

    use super::*;

    fn stripped(row: &str) -> String {
        String::from_utf8(without_secrets(row.as_bytes()).into_owned()).unwrap()
    }

    #[test]
    fn only_the_secrets_go() {
        for (row, wanted) in [
            (
                r#"{"id":1,"api_key":"x","name":"é"}"#,
                r#"{"id":1,"name":"é"}"#,
            ),
            (r#"{"api_key":"x"}"#, "{}"),
            (
                r#"{"id":1.50e0 , "API-Key" : {"a":["]}",1]} }"#,
                r#"{"id":1.50e0  }"#,
            ),
            (
                r#"{"a":[{"manager":{"id":"5","apiKey":null,"hash_password":"q\"}"}}],"z":0}"#,
                r#"{"a":[{"manager":{"id":"5"}}],"z":0}"#,
            ),
            (r#"{"token":"a","access_token":"b","secret":"c"}"#, "{}"),
            (r#"{"x":1,"token":"a","secret":7}"#, r#"{"x":1}"#),
            (
                r#"{"api\u005fkey":"x","Pa\u0073sword":1,"k":2}"#,
                r#"{"k":2}"#,
            ),
            (r#"{"client_secret":true,"b":2}"#, r#"{"b":2}"#),
        ] {
            assert_eq!(stripped(row), wanted, "{row}");
        }
    }

    #[test]
    fn values_that_look_like_secrets_stay() {
        for row in [
            r#"{"referrer":"https://x/?api_key=1&token=2","note":"password","sub5":"\"api_key\":\"x\""}"#,
            r#"{"tokens_used":5,"title":"Secret \u0041gent","sub1":"secret"}"#,
            r#"{"api":1,"key":2,"passed":true,"tokenized":1}"#,
        ] {
            assert!(
                matches!(without_secrets(row.as_bytes()), Cow::Borrowed(_)),
                "{row}"
            );
        }
    }

    #[test]
    fn a_line_that_is_no_json_keeps_no_secret() {
        for (line, wanted) in [
            (
                r#"{"id":1,"api_key":"K1","x":{"password" : "K2"#,
                r#"{"id":1,"api_key":"(secret removed)","x":{"password" : "(secret removed)"#,
            ),
            (
                r#"{"a":"\"","api\u005fkey":"K1"#,
                r#"{"a":"\"","api\u005fkey":"(secret removed)"#,
            ),
            (
                r#"word":"x","Client-Secret":42,"b":1"#,
                r#"word":"x","Client-Secret":(secret removed),"b":1"#,
            ),
            (
                "GET /?api_key=K1&page=2",
                "GET /?api_key=(secret removed)&page=2",
            ),
            (
                r#"{"title":"Secret sauce","id":"#,
                r#"{"title":"Secret sauce","id":"#,
            ),
        ] {
            let kept = redact(line.as_bytes());
            assert_eq!(String::from_utf8(kept).unwrap(), wanted);
            assert!(line == wanted || may_hold_secrets(line.as_bytes()));
        }
    }

    #[test]
    fn the_quick_look_at_a_name_passes_every_secret() {
        for name in PARTS.iter().chain(&NAMES) {
            assert!(names_a_secret(name.as_bytes(), false), "{name}");
            assert!(
                names_a_secret(name.to_uppercase().as_bytes(), false),
                "{name}"
            );
        }
    }

    #[test]
    fn a_row_that_is_cut_off_does_no_harm() {
        let row = r#"{"id":1,"manager":{"api_key":"do not keep","b":[1,{"c":"d"}]},"z":"y\\"}"#;
        for end in 0..row.len() {
            let kept = without_secrets(&row.as_bytes()[..end]);
            assert!(!String::from_utf8_lossy(&kept).contains("do not"), "{end}");
        }
    }

    /// The naive way: parse, drop, compare.
    fn naive(value: &Value) -> Value {
        match value {
            Value::Object(members) => {
                let kept = members
                    .iter()
                    .filter(|(name, _)| !is_secret(name.as_bytes(), false));
                Value::Object(
                    kept.map(|(name, value)| (name.clone(), naive(value)))
                        .collect::<Map<_, _>>(),
                )
            }
            Value::Array(items) => items.iter().map(naive).collect(),
            other => other.clone(),
        }
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<i32>().prop_map(|number| json!(number)),
            "[a-z\"\\\\{}:,\u{e9}]{0,8}".prop_map(Value::from),
            Just(json!("api_key")),
        ];
        let name = prop_oneof![
            "[a-c\"\\\\]{1,3}",
            Just("api_key".to_owned()),
            Just("Hash-Password".to_owned())
        ];
        leaf.prop_recursive(4, 40, 5, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::vec((name.clone(), inner), 0..5)
                    .prop_map(|members| members.into_iter().collect()),
            ]
        })
    }

    proptest! {
        #[test]
        fn the_rest_is_what_a_parser_would_keep(value in values(), pretty: bool) {
            let row = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }.unwrap();
            let kept: Value = serde_json::from_slice(&without_secrets(row.as_bytes())).unwrap();
            prop_assert_eq!(kept, naive(&value));
        }
    }
}
