//! What a credential must look like before it is stored. A complaint never holds any of the value.

use std::net::IpAddr;

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};
use url::{Host, Url};

use super::CredentialKind;

/// Longest value that is taken: a service account's key file has about 2,400 bytes.
const LONGEST: usize = 16 * 1024;

/// The value without blanks around it, or why it cannot be one of its kind.
///
/// # Errors
/// A few words for people, without the value.
pub fn checked(kind: CredentialKind, value: &SecretString) -> Result<SecretString, String> {
    let text = value.expose_secret().trim();
    if text.is_empty() {
        return Err("it is empty".to_owned());
    }
    if text.len() > LONGEST {
        return Err(format!("it is longer than {LONGEST} bytes"));
    }
    match kind {
        CredentialKind::ServiceAccountKey => service_account(text)?,
        CredentialKind::MunchkinId => munchkin_id(text)?,
        CredentialKind::ApiKey | CredentialKind::ClientId | CredentialKind::ClientSecret => {
            one_word(text)?;
        }
    }
    Ok(SecretString::from(text))
}

/// What was left out of a value, where it is more than the line break that ends a file.
#[must_use]
pub fn left_out(value: &SecretString) -> Option<&'static str> {
    let text = value.expose_secret();
    let line = text.strip_suffix('\n').unwrap_or(text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    (line.trim() != line)
        .then_some("blanks or line breaks around the value were left out, as pasting brings them")
}

/// Quotes that come along when a value is copied out of code or a document.
const QUOTES: [char; 9] = [
    '"', '\'', '`', '\u{201c}', '\u{201d}', '\u{201e}', '\u{2018}', '\u{2019}', '\u{ab}',
];

fn one_word(text: &str) -> Result<(), String> {
    if text.starts_with(QUOTES) || text.ends_with(QUOTES) {
        return Err(
            "there is a quote before or after it, as pasting brings it; give it without quotes"
                .to_owned(),
        );
    }
    if text.chars().any(char::is_whitespace) {
        return Err("it holds a blank or a line break; give the value alone, without a name or words around it".to_owned());
    }
    // It becomes an HTTP header.
    if text.chars().all(|c| c.is_ascii_graphic()) {
        Ok(())
    } else {
        Err("it holds characters other than letters, digits and signs of ASCII, perhaps invisible ones that pasting brought".to_owned())
    }
}

/// `123-ABC-456`.
fn munchkin_id(text: &str) -> Result<(), String> {
    one_word(text)?;
    let parts: Vec<&str> = text.split('-').collect();
    let three = |part: &str, fits: fn(&char) -> bool| {
        part.chars().count() == 3 && part.chars().all(|c| fits(&c))
    };
    let word = |c: &char| c.is_ascii_alphanumeric() || *c == '_';
    match parts.as_slice() {
        [first, middle, last]
            if three(first, char::is_ascii_digit)
                && three(middle, word)
                && three(last, char::is_ascii_digit) =>
        {
            Ok(())
        }
        _ => Err("it is not three digits, three letters and three digits with hyphens".to_owned()),
    }
}

fn service_account(text: &str) -> Result<(), String> {
    // Only the place is told: serde's sentence may quote a value.
    let value: Value = serde_json::from_str(text).map_err(|error| {
        format!(
            "it is not JSON, at line {} column {}",
            error.line(),
            error.column()
        )
    })?;
    let Value::Object(fields) = value else {
        return Err("it is JSON, but no object".to_owned());
    };
    if field(&fields, "type")? != "service_account" {
        return Err("its 'type' is not 'service_account'; perhaps it is the key of a user or of an OAuth client".to_owned());
    }
    if !field(&fields, "client_email")?.contains('@') {
        return Err("its 'client_email' is no e-mail address".to_owned());
    }
    let key = field(&fields, "private_key")?.trim();
    let pem = |kind: &str| {
        key.starts_with(&format!("-----BEGIN {kind}-----"))
            && key.ends_with(&format!("-----END {kind}-----"))
    };
    if !pem("PRIVATE KEY") && !pem("RSA PRIVATE KEY") {
        return Err("its 'private_key' is no PEM private key".to_owned());
    }
    token_address(field(&fields, "token_uri")?)
}

fn field<'f>(fields: &'f Map<String, Value>, name: &str) -> Result<&'f str, String> {
    match fields.get(name) {
        Some(Value::String(text)) if !text.is_empty() => Ok(text),
        Some(_) => Err(format!("its field '{name}' is no text, or empty")),
        None => Err(format!("it has no field '{name}'")),
    }
}

/// Where the key is shown to get a token: over TLS, or on this machine, where the simulator is.
fn token_address(address: &str) -> Result<(), String> {
    let bad = "its 'token_uri' is no https address";
    let url = Url::parse(address).map_err(|_| bad.to_owned())?;
    let loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => IpAddr::from(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::from(address).is_loopback(),
        None => false,
    };
    match url.scheme() {
        "https" => Ok(()),
        "http" if loopback => Ok(()),
        _ => Err(bad.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaint(kind: CredentialKind, value: &str) -> String {
        let error = checked(kind, &SecretString::from(value)).unwrap_err();
        assert!(!error.contains("do-not-show"), "{error}");
        error
    }

    #[test]
    fn blanks_around_are_cut_and_blanks_inside_refused() {
        let good = checked(CredentialKind::ApiKey, &" abc123\n".into()).unwrap();
        assert_eq!(good.expose_secret(), "abc123");
        assert_eq!(complaint(CredentialKind::ApiKey, " \n"), "it is empty");
        assert!(complaint(CredentialKind::ClientSecret, "do-not-show me").contains("blank"));
        assert!(complaint(CredentialKind::ClientId, "do-not-show\u{7}").contains("ASCII"));
        assert!(complaint(CredentialKind::ApiKey, &"x".repeat(20_000)).contains("longer"));
    }

    #[test]
    fn quotes_and_blanks_of_pasting_are_told() {
        for quoted in [
            "\"do-not-show\"",
            "'do-not-show'",
            "`do-not-show`",
            "\u{201c}do-not-show\u{201d}",
            "do-not-show\"",
        ] {
            let said = complaint(CredentialKind::ApiKey, quoted);
            assert!(said.contains("without quotes"), "{said}");
        }
        assert!(complaint(CredentialKind::MunchkinId, "'123-ABC-456'").contains("without quotes"));
        assert!(complaint(CredentialKind::ApiKey, "do-not-show\u{200b}").contains("invisible"));
        for (value, is_told) in [
            ("abc\n", false),
            ("abc\r\n", false),
            ("abc", false),
            (" abc\n", true),
            ("abc\u{a0}", true),
            ("abc\n\n", true),
        ] {
            assert_eq!(left_out(&value.into()).is_some(), is_told, "{value:?}");
        }
    }

    #[test]
    fn munchkin_ids() {
        for good in ["123-ABC-456", "000-abc-999", "123-A1B-456"] {
            assert!(checked(CredentialKind::MunchkinId, &good.into()).is_ok());
        }
        for bad in [
            "123-ABCD-456",
            "12-ABC-456",
            "123ABC456",
            "123-ABC-456-7",
            "ABC-123-456",
        ] {
            assert!(complaint(CredentialKind::MunchkinId, bad).contains("three digits"));
        }
    }

    fn key(change: impl FnOnce(&mut Map<String, Value>)) -> String {
        let mut fields = serde_json::json!({
            "type": "service_account",
            "client_email": "do-not-show@x.iam.gserviceaccount.com",
            "private_key": "-----BEGIN PRIVATE KEY-----\ndo-not-show\n-----END PRIVATE KEY-----\n",
            "token_uri": "https://oauth2.googleapis.com/token",
        });
        change(fields.as_object_mut().unwrap());
        fields.to_string()
    }

    #[test]
    fn service_account_keys() {
        let kind = CredentialKind::ServiceAccountKey;
        assert!(checked(kind, &key(|_| {}).into()).is_ok());
        let simulated = key(|fields| {
            fields.insert("token_uri".into(), "http://127.0.0.1:8080/token".into());
        });
        assert!(checked(kind, &simulated.into()).is_ok());
        for name in ["type", "client_email", "private_key", "token_uri"] {
            let without = key(|fields| {
                fields.remove(name);
            });
            assert_eq!(
                complaint(kind, &without),
                format!("it has no field '{name}'")
            );
            let empty = key(|fields| {
                fields.insert(name.into(), "".into());
            });
            assert!(complaint(kind, &empty).contains(name));
        }
        let wrong = [
            ("type", "authorized_user", "'type'"),
            ("private_key", "do-not-show", "PEM"),
            ("token_uri", "http://do-not-show.example/token", "https"),
            ("client_email", "do-not-show", "e-mail"),
        ];
        for (name, value, expected) in wrong {
            let text = key(|fields| {
                fields.insert(name.into(), value.into());
            });
            assert!(complaint(kind, &text).contains(expected));
        }
        assert!(complaint(kind, "{\"do-not-show\": ").contains("line 1"));
        assert!(complaint(kind, "[]").contains("no object"));
    }
}
