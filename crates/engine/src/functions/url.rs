//! Parts of URLs, as `java.net.URI` takes them apart: what is no URI has no parts and gives NULL.

use std::sync::Arc;

use arrow::{
    array::{ArrayRef, AsArray, Int64Array, StringArray},
    datatypes::DataType,
};
use datafusion::{common::Result, logical_expr::ScalarUDF};

use super::{Take, function, invalid, returns_bigint, returns_text, strings::one_text};

pub(super) fn functions() -> Vec<ScalarUDF> {
    use Take::Text;
    let part = |name, body| function(name, &[&[Text]], returns_text, body);
    vec![
        part("url_decode", |columns, _| {
            one_text(columns, |text| decode(text).map(Some))
        }),
        part("url_encode", |columns, _| {
            one_text(columns, |text| Ok(Some(encode(text))))
        }),
        part("url_extract_fragment", |columns, _| {
            parts(columns, |uri| uri.fragment.map(unescaped))
        }),
        part("url_extract_host", |columns, _| {
            parts(columns, |uri| uri.host.map(str::to_owned))
        }),
        function(
            "url_extract_parameter",
            &[&[Text, Text]],
            returns_text,
            parameter,
        ),
        part("url_extract_path", |columns, _| {
            parts(columns, |uri| Some(unescaped(uri.path)))
        }),
        function("url_extract_port", &[&[Text]], returns_bigint, port),
        part("url_extract_protocol", |columns, _| {
            parts(columns, |uri| uri.scheme.map(str::to_owned))
        }),
        part("url_extract_query", |columns, _| {
            parts(columns, |uri| uri.query.map(str::to_owned))
        }),
    ]
}

/// A URI taken apart; parts are still escaped.
#[derive(Debug, Default, PartialEq, Eq)]
struct Uri<'a> {
    scheme: Option<&'a str>,
    host: Option<&'a str>,
    port: Option<i64>,
    path: &'a str,
    query: Option<&'a str>,
    fragment: Option<&'a str>,
}

impl<'a> Uri<'a> {
    /// RFC 2396 with Java's leniency: other letters than ASCII may stand unescaped.
    fn parse(text: &'a str) -> Option<Self> {
        let (rest, fragment) = split_off(text, '#');
        if !fragment.is_none_or(|part| legal(part, "")) {
            return None;
        }
        let colon = rest
            .find([':', '/', '?'])
            .filter(|at| rest.as_bytes()[*at] == b':');
        let (scheme, rest) = match colon {
            Some(at) => (Some(&rest[..at]), &rest[at + 1..]),
            None => (None, rest),
        };
        let letters = |scheme: &str| {
            scheme.starts_with(|c: char| c.is_ascii_alphabetic())
                && scheme
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
        };
        if !scheme.is_none_or(letters) {
            return None;
        }
        if scheme.is_some() && !rest.starts_with('/') {
            // Opaque, such as mailto: it has no parts but its scheme; an empty one is no URI.
            let opaque = !rest.is_empty() && legal(rest, "");
            return opaque.then_some(Self {
                scheme,
                fragment,
                ..Self::default()
            });
        }
        let (rest, query) = split_off(rest, '?');
        if !query.is_none_or(|part| legal(part, "[]")) {
            return None;
        }
        let mut uri = Self {
            scheme,
            query,
            fragment,
            path: rest,
            ..Self::default()
        };
        if let Some(after) = rest.strip_prefix("//") {
            let end = after.find('/').unwrap_or(after.len());
            let (authority, path) = after.split_at(end);
            if authority.is_empty() && path.is_empty() || !legal(authority, "[]") {
                return None;
            }
            uri.path = path;
            (uri.host, uri.port) = server(authority);
        }
        legal(uri.path, "").then_some(uri)
    }
}

fn split_off(text: &str, mark: char) -> (&str, Option<&str>) {
    text.split_once(mark)
        .map_or((text, None), |(left, right)| (left, Some(right)))
}

/// Host and port of `user:password@host:port`; none of them when it is no name of a server.
fn server(authority: &str) -> (Option<&str>, Option<i64>) {
    let address = authority
        .rsplit_once('@')
        .map_or(authority, |(_, address)| address);
    let (host, port) = match address
        .rfind(':')
        .filter(|at| !address[*at..].contains(']'))
    {
        Some(at) => (&address[..at], Some(&address[at + 1..])),
        None => (address, None),
    };
    let port = match port {
        None | Some("") => None,
        Some(digits) => match digits.parse::<i64>() {
            Ok(port) if !digits.starts_with(['+', '-']) => Some(port),
            _ => return (None, None),
        },
    };
    let bracketed = host.starts_with('[') && host.ends_with(']');
    if bracketed || is_hostname(host) {
        (Some(host), port)
    } else {
        (None, None)
    }
}

/// Labels of letters, digits and inner hyphens; the last one of a name starts with a letter, unless all are numbers.
fn is_hostname(host: &str) -> bool {
    let labels: Vec<&str> = host.strip_suffix('.').unwrap_or(host).split('.').collect();
    let label = |label: &&str| {
        let inner = label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        inner && !label.is_empty() && !label.starts_with('-') && !label.ends_with('-')
    };
    let address = labels.len() == 4 && labels.iter().all(|label| label.parse::<u8>().is_ok());
    let named = labels
        .last()
        .is_some_and(|last| last.starts_with(|c: char| c.is_ascii_alphabetic()));
    labels.iter().all(label) && (address || named)
}

/// Whether every character may stand in a URI.
fn legal(text: &str, more: &str) -> bool {
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        let fits = match c {
            '%' => {
                rest.next().is_some_and(|c| c.is_ascii_hexdigit())
                    && rest.next().is_some_and(|c| c.is_ascii_hexdigit())
            }
            c if c.is_ascii() => {
                c.is_ascii_alphanumeric() || "-_.!~*'();/?:@&=+$,".contains(c) || more.contains(c)
            }
            c => !c.is_control() && !c.is_whitespace(),
        };
        if !fits {
            return false;
        }
    }
    true
}

/// `%41` as `A`; bytes that are no UTF-8 become the replacement character.
fn unescaped(text: &str) -> String {
    bytes_of(text, false).map_or_else(
        || text.to_owned(),
        |bytes| String::from_utf8_lossy(&bytes).into_owned(),
    )
}

/// Nothing when a `%` has no two digits behind it.
fn bytes_of(text: &str, plus_is_blank: bool) -> Option<Vec<u8>> {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        at += 1;
        match byte {
            b'%' => {
                let digits = text.get(at..at + 2)?;
                out.push(u8::from_str_radix(digits, 16).ok()?);
                at += 2;
            }
            b'+' if plus_is_blank => out.push(b' '),
            other => out.push(other),
        }
    }
    Some(out)
}

/// As a form is decoded: `+` is a blank.
fn decode(text: &str) -> Result<String> {
    match bytes_of(text, true) {
        Some(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        None => invalid(format!(
            "Illegal hex characters in escape (%) pattern of '{text}'"
        )),
    }
}

/// As a form is encoded: a blank is `+`.
fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b' ' => out.push('+'),
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'-' | b'.' | b'*' => {
                out.push(char::from(byte))
            }
            other => {
                use std::fmt::Write;
                let _ = write!(out, "%{other:02X}");
            }
        }
    }
    out
}

/// A part of each URL: empty where a URI lacks it, NULL where there is no URI.
fn parts(columns: &[ArrayRef], part: impl Fn(&Uri) -> Option<String>) -> Result<ArrayRef> {
    one_text(columns, |text| {
        Ok(Uri::parse(text).map(|uri| part(&uri).unwrap_or_default()))
    })
}

/// The first value of a parameter of the query; empty for one without a value.
fn parameter(columns: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    let (urls, names) = (columns[0].as_string::<i32>(), columns[1].as_string::<i32>());
    let found = urls.iter().zip(names).map(|(url, name)| {
        let (query, name) = (Uri::parse(url?)?.query?, name?);
        query.split('&').find_map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (unescaped(key) == name).then(|| unescaped(value))
        })
    });
    Ok(Arc::new(found.collect::<StringArray>()))
}

fn port(columns: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    let ports = columns[0].as_string::<i32>().iter();
    Ok(Arc::new(
        ports
            .map(|url| Uri::parse(url?)?.port)
            .collect::<Int64Array>(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_taken_apart() {
        let uri = Uri::parse("https://u:p@shop.example.com:8443/a%20b/c?x=1&y=ä#top").unwrap();
        assert_eq!(
            (uri.scheme, uri.host, uri.port),
            (Some("https"), Some("shop.example.com"), Some(8443))
        );
        assert_eq!(
            (uri.path, uri.query, uri.fragment),
            ("/a%20b/c", Some("x=1&y=ä"), Some("top"))
        );
        assert!(Uri::parse("http://example.com/a b").is_none());
        assert!(Uri::parse("http://example.com/%zz").is_none());
        assert_eq!(Uri::parse("/only/a/path?q").unwrap().query, Some("q"));
    }

    #[test]
    fn encoding_and_decoding_are_a_forms() {
        assert_eq!(encode("a b&c=ü/~"), "a+b%26c%3D%C3%BC%2F%7E");
        assert_eq!(decode("a+b%26c%3D%C3%BC").unwrap(), "a b&c=ü");
        assert!(decode("50%").is_err());
    }
}
