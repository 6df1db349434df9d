//! Affise's answers: envelope, pagination, refusals, and the head of a row.

use std::fmt;

use bytes::Bytes;
use indexmap::IndexMap;
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

/// What makes a row the same row on another page; not for storing.
pub(super) type Identity = u128;

/// A page as the server returned it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Page {
    /// Rows, each one the bytes that came.
    pub rows: Vec<Bytes>,
    /// Who the rows are, in the same order.
    pub identities: Vec<Identity>,
    /// Newest `updated_at` (or else `created_at`), as written.
    pub newest_change: Option<String>,
    /// Newest `created_at`, as written.
    pub newest_creation: Option<String>,
    /// Where the page stands.
    pub pagination: Pagination,
}

/// `pagination`, as far as it was there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Pagination {
    /// Rows of all pages, as the server counts them.
    pub total: Option<u64>,
    /// Number of this page.
    pub page: Option<u64>,
    /// Rows a page has at most.
    pub per_page: Option<u64>,
    /// Number of the next page; absent on the last one.
    pub next: Option<u64>,
}

/// A 2xx body that holds no page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NoPage {
    /// It is not JSON: a proxy's page, or cut off.
    NotJson(String),
    /// `status: 2` with the server's prose, or a shape nobody knows.
    Refused(String),
}

type Fields<'a> = IndexMap<String, &'a RawValue>;

/// Reads an answer about one thing: the raw value of `name`, when the status is good.
pub(super) fn single<'a>(body: &'a [u8], name: &str) -> Result<&'a RawValue, NoPage> {
    let fields: Fields<'a> = serde_json::from_slice(body).map_err(|error| no_page(body, &error))?;
    let of = |name: &str| fields.get(name).copied();
    accept(of("status"), of("error").or_else(|| of("message")))?;
    of(name).ok_or_else(|| NoPage::Refused(format!("the answer has no '{name}'")))
}

/// Reads a page of a listing.
pub(super) fn page(body: &Bytes, collection: &str) -> Result<Page, NoPage> {
    let mut reader = serde_json::Deserializer::from_slice(body);
    let parsed = Parts {
        collection,
        ..Parts::default()
    }
    .deserialize(&mut reader);
    let parts = parsed
        .and_then(|parts| reader.end().map(|()| parts))
        .map_err(|error| no_page(body, &error))?;
    accept(parts.status, parts.prose)?;
    let missing = || NoPage::Refused(format!("the answer has no '{collection}'"));
    let rows = parts.rows.ok_or_else(missing)?.0;
    let mut page = Page {
        rows: Vec::with_capacity(rows.len()),
        identities: Vec::with_capacity(rows.len()),
        newest_change: None,
        newest_creation: None,
        // `[]` when there is nothing to page.
        pagination: parts.pagination.map_or_else(Pagination::default, |raw| {
            serde_json::from_str(raw.get()).unwrap_or_default()
        }),
    };
    for row in rows {
        let head = Head::of(row);
        page.identities.push(head.identity);
        raise(&mut page.newest_change, head.updated_at.or(head.created_at));
        raise(&mut page.newest_creation, head.created_at);
        page.rows.push(body.slice_ref(row.get().as_bytes()));
    }
    Ok(page)
}

/// Why a body holds no page: JSON of another shape is the server's word, anything else is not.
fn no_page(body: &[u8], error: &serde_json::Error) -> NoPage {
    if error.is_data() && serde_json::from_slice::<IgnoredAny>(body).is_ok() {
        NoPage::Refused(format!("the answer is JSON of another shape: {error}"))
    } else {
        NoPage::NotJson(format!("the answer is not JSON: {error}"))
    }
}

/// Lets a good status pass; else the prose of the refusal, `error` or `message`, a text or an object.
fn accept(status: Option<&RawValue>, prose: Option<&RawValue>) -> Result<(), NoPage> {
    let status = status.map_or("", RawValue::get);
    if matches!(status, "1" | "\"1\"" | "\"success\"") {
        return Ok(());
    }
    let text = |prose: &RawValue| {
        serde_json::from_str(prose.get()).unwrap_or_else(|_| prose.get().to_owned())
    };
    let prose = prose.map_or_else(|| "without a reason".to_owned(), text);
    let status = if status.is_empty() {
        "no status".to_owned()
    } else {
        format!("status {status}")
    };
    Err(NoPage::Refused(format!("{status}: {prose}")))
}

/// The parts of a page's envelope, read in one pass: a page may be many megabytes.
#[derive(Default)]
struct Parts<'n, 'a> {
    collection: &'n str,
    status: Option<&'a RawValue>,
    prose: Option<&'a RawValue>,
    pagination: Option<&'a RawValue>,
    rows: Option<Rows<'a>>,
}

impl<'de> DeserializeSeed<'de> for Parts<'_, 'de> {
    type Value = Self;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Parts<'_, 'de> {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an envelope")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Self, A::Error> {
        while let Some(name) = map.next_key::<String>()? {
            match name.as_str() {
                "status" => self.status = Some(map.next_value()?),
                "error" => self.prose = Some(map.next_value()?),
                "message" => self.prose = Some(self.prose.unwrap_or(map.next_value()?)),
                "pagination" => self.pagination = Some(map.next_value()?),
                name if name == self.collection => self.rows = Some(map.next_value()?),
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(self)
    }
}

/// Rows as a list; PHP writes a list with gaps as an object, and nothing as `null` or `{}`.
struct Rows<'a>(Vec<&'a RawValue>);

impl<'de> Deserialize<'de> for Rows<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Rows<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of rows")
            }

            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(Rows(Vec::new()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
                let mut rows = Vec::new();
                while let Some(row) = list.next_element()? {
                    rows.push(row);
                }
                Ok(Rows(rows))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut rows = Vec::new();
                while let Some((_, row)) = map.next_entry::<IgnoredAny, _>()? {
                    rows.push(row);
                }
                Ok(Rows(rows))
            }
        }
        deserializer.deserialize_any(Any)
    }
}

/// Keeps the larger of two time stamps, which sort as text.
pub(super) fn raise(newest: &mut Option<String>, stamp: Option<&str>) {
    let Some(stamp) = stamp.filter(|stamp| is_stamp(stamp)) else {
        return;
    };
    if newest.as_deref().is_none_or(|newest| newest < stamp) {
        *newest = Some(stamp.to_owned());
    }
}

/// Whether a text is `YYYY-MM-DD HH:MM:SS`, and not the zeroes Affise writes for "never".
fn is_stamp(text: &str) -> bool {
    let shape = b"0000-00-00 00:00:00";
    text.len() == shape.len()
        && text
            .as_bytes()
            .iter()
            .zip(shape)
            .all(|(byte, like)| match like {
                b'0' => byte.is_ascii_digit(),
                other => byte == other,
            })
        && !text.starts_with("0000")
}

impl<'de> Deserialize<'de> for Pagination {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let fields = IndexMap::<String, serde_json::Value>::deserialize(deserializer)?;
        let number = |name: &str| {
            let value = fields.get(name)?;
            value.as_u64().or_else(|| value.as_str()?.parse().ok())
        };
        Ok(Self {
            total: number("total_count"),
            page: number("page"),
            per_page: number("per_page"),
            next: number("next_page"),
        })
    }
}

/// The few fields of a row that collecting needs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Head<'a> {
    pub identity: Identity,
    pub created_at: Option<&'a str>,
    pub updated_at: Option<&'a str>,
}

impl<'a> Head<'a> {
    fn of(row: &'a RawValue) -> Self {
        Self::read(row.get())
    }

    /// Reads the head of a row; a row without an id is known by its bytes.
    pub(super) fn read(row: &'a str) -> Self {
        let found: Found<'a> = serde_json::from_str(row).unwrap_or_default();
        let id = found.id.or(found.conversion_id).and_then(identity);
        let text =
            |raw: Option<&'a RawValue>| raw.and_then(|raw| serde_json::from_str(raw.get()).ok());
        Self {
            identity: id.unwrap_or_else(|| hashed(row)),
            created_at: text(found.created_at),
            updated_at: text(found.updated_at),
        }
    }
}

/// An id as a number: 24 hexadecimal digits and integers as they are, anything else by its hash.
fn identity(raw: &RawValue) -> Option<Identity> {
    const INTEGER: Identity = 1 << 100;
    let text = raw.get().trim_matches('"');
    if text.is_empty() || text == "null" {
        return None;
    }
    if text.len() == 24
        && let Ok(number) = Identity::from_str_radix(text, 16)
    {
        return Some(number);
    }
    Some(text.parse::<u64>().map_or_else(
        |_| hashed(raw.get()),
        |number| INTEGER | Identity::from(number),
    ))
}

fn hashed(text: &str) -> Identity {
    const OTHER: Identity = 1 << 127;
    let hash = Sha256::digest(text.as_bytes());
    let bytes = hash.iter().take(16);
    OTHER | bytes.fold(0, |number, byte| (number << 8) | Identity::from(*byte))
}

#[derive(Default)]
struct Found<'a> {
    id: Option<&'a RawValue>,
    conversion_id: Option<&'a RawValue>,
    created_at: Option<&'a RawValue>,
    updated_at: Option<&'a RawValue>,
}

/// By hand, because a derived one refuses a row that names a field twice.
impl<'de> Deserialize<'de> for Found<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = Found<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a row")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut found = Found::default();
                while let Some(name) = map.next_key::<Name>()? {
                    let place = match name {
                        Name::Id => &mut found.id,
                        Name::ConversionId => &mut found.conversion_id,
                        Name::CreatedAt => &mut found.created_at,
                        Name::UpdatedAt => &mut found.updated_at,
                        Name::Other => {
                            map.next_value::<IgnoredAny>()?;
                            continue;
                        }
                    };
                    *place = Some(map.next_value()?);
                }
                Ok(found)
            }
        }
        deserializer.deserialize_map(Fields)
    }
}

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "snake_case")]
enum Name {
    Id,
    ConversionId,
    CreatedAt,
    UpdatedAt,
    #[serde(other)]
    Other,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> Result<Page, NoPage> {
        page(&Bytes::from(body.to_owned()), "clicks")
    }

    #[test]
    fn rows_are_the_bytes_that_came() {
        let body = r#"{"status":1,"clicks":[ {"id":"66f1a0c29b1e4d00178b4567", "a": 12.4300000001e0,"s":"\u00e9\/\ud83d"},{"id":7}],
            "pagination":{"per_page":2,"total_count":"5","page":1,"next_page":2}}"#;
        let page = read(body).unwrap();
        assert_eq!(
            page.rows[0],
            r#"{"id":"66f1a0c29b1e4d00178b4567", "a": 12.4300000001e0,"s":"\u00e9\/\ud83d"}"#
        );
        assert_eq!(page.rows[1], r#"{"id":7}"#);
        assert_eq!(
            page.pagination,
            Pagination {
                total: Some(5),
                page: Some(1),
                per_page: Some(2),
                next: Some(2)
            }
        );
    }

    #[test]
    fn the_last_page_and_empty_ones_have_no_next() {
        for body in [
            r#"{"status":"success","clicks":[],"pagination":{"per_page":2,"total_count":0,"page":1}}"#,
            r#"{"status":1,"clicks":null,"pagination":[]}"#,
            r#"{"status":1,"clicks":{}}"#,
        ] {
            let page = read(body).unwrap();
            assert!(
                page.rows.is_empty() && page.pagination.next.is_none(),
                "{body}"
            );
        }
        assert_eq!(
            read(r#"{"status":1,"clicks":{"0":{"id":1},"2":{"id":2}}}"#)
                .unwrap()
                .rows
                .len(),
            2
        );
    }

    #[test]
    fn refusals_carry_their_prose() {
        let told = |body| match read(body).unwrap_err() {
            NoPage::Refused(why) => why,
            NoPage::NotJson(why) => panic!("{why}"),
        };
        assert_eq!(
            told(r#"{"status":2,"error":"Method does not allow"}"#),
            "status 2: Method does not allow"
        );
        assert_eq!(
            told(r#"{"status":2,"message":{"hour":["bad"]}}"#),
            r#"status 2: {"hour":["bad"]}"#
        );
        assert_eq!(told("{}"), "no status: without a reason");
        assert!(told("[1]").contains("another shape"));
        assert!(told(r#"{"status":1,"clicks":"none"}"#).contains("a list of rows"));
        assert_eq!(told(r#"{"status":1}"#), "the answer has no 'clicks'");
        for body in ["", "<html>", r#"{"status":1,"clicks":[{"id":1},{"i"#] {
            assert!(matches!(read(body), Err(NoPage::NotJson(_))), "{body}");
        }
    }

    #[test]
    fn identities_hold_whatever_shape_an_id_has() {
        let of = |row| Head::read(row).identity;
        assert_eq!(of(r#"{"id":12,"x":1}"#), of(r#"{"x":2,"id":"12"}"#));
        assert_eq!(
            of(r#"{"conversion_id":"66f1a0c29b1e4d00178b4567"}"#),
            0x66f1_a0c2_9b1e_4d00_178b_4567
        );
        assert_eq!(
            of(r#"{"id":1,"id":"66f1a0c29b1e4d00178b4567"}"#),
            0x66f1_a0c2_9b1e_4d00_178b_4567
        );
        assert_eq!(
            of(r#"{"id":"click-ä"}"#),
            of(r#"{"id":"click-ä","more":true}"#)
        );
        for (one, other) in [
            (r#"{"id":1}"#, r#"{"id":2}"#),
            (r#"{"id":""}"#, r#"{"id":null}"#),
            ("null", "7"),
        ] {
            assert_ne!(of(one), of(other), "{one}");
        }
    }

    #[test]
    fn the_newest_stamp_is_found_and_zeroes_are_none() {
        let body = r#"{"status":1,"clicks":[
            {"id":1,"created_at":"2026-01-06 04:00:00","updated_at":"2026-01-09 01:00:00"},
            {"id":2,"created_at":"2026-01-08 04:00:00","updated_at":"0000-00-00 00:00:00"},
            {"id":3,"created_at":null,"updated_at":""},{"id":4,"updated_at":"zzzz"},{"id":5,"updated_at":99}]}"#;
        let page = read(body).unwrap();
        assert_eq!(page.newest_change.as_deref(), Some("2026-01-09 01:00:00"));
        assert_eq!(page.newest_creation.as_deref(), Some("2026-01-08 04:00:00"));
    }
}
