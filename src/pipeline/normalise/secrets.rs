//! Keys and password hashes that must not be stored anywhere, and how a line loses them.
//!
//! Affise puts live API keys into affiliates and managers and postback secrets into offers and
//! advertisers (fact sheet, section 1.4). Whatever is kept of a line — bronze copy, JSON text in a
//! column, `_extra`, quarantine — goes through here when it has one.

use super::json::{Cursor, RawString, Seen, SyntaxFault, unescape};

/// The keys whose values are secrets.
pub(super) const SECRET_KEYS: [&[u8]; 4] = [b"api_key", b"hash_password", b"password", b"password_hash"];

/// Whether a key names a secret, however it is escaped.
#[inline]
pub(super) fn is_secret(key: RawString<'_>) -> bool {
    if key.escaped {
        let mut plain = Vec::new();
        unescape(key.raw, &mut plain);
        return SECRET_KEYS.contains(&plain.as_slice());
    }
    matches!(key.raw.len(), 7 | 8 | 13) && SECRET_KEYS.contains(&key.raw)
}

/// Whether the bytes of a line could hold a secret, also in broken JSON. True too often, never too seldom.
pub(super) fn may_hold(line: &[u8]) -> bool {
    SECRET_KEYS.iter().any(|key| memchr::memmem::find(line, key).is_some()) || memchr::memmem::find(line, b"\\u00").is_some()
}

/// A copy of a JSON value without the members that hold secrets.
pub(super) fn strip(value: &[u8]) -> Result<Vec<u8>, SyntaxFault> {
    let mut cursor = Cursor::new(value);
    let mut out = Vec::with_capacity(value.len());
    cursor.space();
    copy(&mut cursor, &mut out)?;
    Ok(out)
}

fn copy(cursor: &mut Cursor<'_>, out: &mut Vec<u8>) -> Result<(), SyntaxFault> {
    let mut seen = Seen::default();
    let start = cursor.at;
    // Walking first keeps the depth limit and leaves clean branches as they are.
    let whole = cursor.value(&mut seen)?;
    if !seen.secret {
        out.extend_from_slice(whole);
        return Ok(());
    }
    cursor.at = start + 1;
    let (open, close) = if cursor.line[start] == b'{' { (b'{', b'}') } else { (b'[', b']') };
    out.push(open);
    let mut first = true;
    loop {
        cursor.space();
        let key_at = cursor.at;
        let secret = open == b'{' && is_secret(cursor.key()?);
        if secret {
            cursor.value(&mut seen)?;
        } else {
            if !first {
                out.push(b',');
            }
            first = false;
            out.extend_from_slice(&cursor.line[key_at..cursor.at]);
            copy(cursor, out)?;
        }
        cursor.space();
        if !cursor.take(b",") {
            break;
        }
    }
    cursor.at += 1;
    out.push(close);
    Ok(())
}

/// What may be shown of a line that is not JSON: the strings after secret keys are blanked.
pub(super) fn redact(line: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(line.len());
    let mut rest = line;
    while let Some((start, end)) = first_secret(rest) {
        out.extend_from_slice(&rest[..start]);
        out.extend_from_slice(b"(secret removed)");
        rest = &rest[end..];
    }
    out.extend_from_slice(rest);
    out
}

/// The extent of the first value after a secret key, as far as it can be told in broken JSON.
fn first_secret(line: &[u8]) -> Option<(usize, usize)> {
    let key_end = |key: &&[u8]| memchr::memmem::find(line, key).map(|at| at + key.len());
    let plain = SECRET_KEYS.iter().filter_map(key_end).min();
    let after_key = [plain, escaped_key_end(line)].into_iter().flatten().min()?;
    let start = line[after_key..].iter().position(|byte| !b"\" :".contains(byte)).map_or(line.len(), |at| after_key + at);
    let end = line[start..].iter().position(|byte| b"\",}".contains(byte)).map_or(line.len(), |at| start + at);
    Some((start, end))
}

/// The end of the first string that spells a secret key with escapes.
fn escaped_key_end(line: &[u8]) -> Option<usize> {
    let mut rest_at = 0;
    while let Some(escape) = memchr::memchr(b'\\', &line[rest_at..]).map(|at| rest_at + at) {
        let start = memchr::memrchr(b'"', &line[rest_at..escape]).map_or(rest_at, |quote| rest_at + quote + 1);
        let end = memchr::memchr(b'"', &line[escape..]).map_or(line.len(), |at| escape + at);
        if is_secret(RawString { raw: &line[start..end], escaped: true }) {
            return Some(end);
        }
        rest_at = end.max(escape + 1);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_with_secrets_go_and_the_rest_stays_as_it_was() {
        let line = br#"{ "api_key":"K1","id":1.50,"m":{"api\u005fkey":"K2"},"l":[{"a": 1 ,"hash_password":{"x":2}},3],"api_key":[4]}"#;
        let kept = String::from_utf8(strip(line).unwrap()).unwrap();
        assert_eq!(kept, r#"{"id":1.50,"m":{},"l":[{"a": 1},3]}"#);
        let untouched = br#"{"a" : [1, 2]}"#;
        assert_eq!(strip(untouched).unwrap(), untouched);
    }

    #[test]
    fn a_broken_line_keeps_no_secret() {
        let shown = String::from_utf8(redact(br#"{"id":1,"api_key":"K1","x":{"password" : "K2"#)).unwrap();
        assert_eq!(shown, r#"{"id":1,"api_key":"(secret removed)","x":{"password" : "(secret removed)"#);
        assert_eq!(redact(b"api_key"), b"api_key(secret removed)");
        let escaped = redact(br#"{"a":"\"","api\u005fkey":"K1"#);
        assert_eq!(String::from_utf8(escaped).unwrap(), r#"{"a":"\"","api\u005fkey":"(secret removed)"#);
    }
}
