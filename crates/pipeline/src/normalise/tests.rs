//! The decoder against a second implementation that is as plain as possible: `serde_json` maps, one rule
//! after the other, text for everything.

use std::{collections::BTreeMap, fmt, fmt::Write as _};

use arrow::{
    array::{Array, AsArray},
    datatypes::{DataType, Decimal128Type, Int64Type, TimestampMicrosecondType},
    record_batch::RecordBatch,
};
use proptest::prelude::*;
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;

use super::{
    contract::{self, EXTRA, Kind},
    decode::{Decoder, Refused},
    part::Layout,
    plan::Plan,
    rows::Rows,
};
use crate::dataset::SilverTable;

/// Cells by column as text; a null is absent.
type Cells = BTreeMap<String, String>;

fn decode_all(
    table: SilverTable,
    lines: &[&str],
) -> (
    Vec<Result<usize, Refused>>,
    RecordBatch,
    super::tally::Tally,
) {
    let layout = Layout::new(table);
    let plan = Plan::new(contract::columns(table), None, false);
    let mut decoder = Decoder::new(&plan);
    let mut rows = Rows::new(plan.columns);
    let mut outcomes = Vec::new();
    for (number, line) in lines.iter().enumerate() {
        let outcome = decoder
            .decode(line.as_bytes(), number as u64 + 1, &mut rows)
            .map(|()| rows.rows);
        rows.rows += usize::from(outcome.is_ok());
        outcomes.push(outcome);
    }
    let batch = rows.finish(&layout.schema, 0, "c").unwrap();
    (outcomes, batch, decoder.tally)
}

fn cells(batch: &RecordBatch, row: usize) -> Cells {
    let mut found = Cells::new();
    for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
        if field.name() == contract::COLLECTED_AT
            || field.name() == contract::SOURCE
            || column.is_null(row)
        {
            continue;
        }
        let text = match column.data_type() {
            DataType::Utf8 => column.as_string::<i32>().value(row).to_owned(),
            DataType::Int64 => column.as_primitive::<Int64Type>().value(row).to_string(),
            DataType::Decimal128(..) => column
                .as_primitive::<Decimal128Type>()
                .value(row)
                .to_string(),
            DataType::Boolean => column.as_boolean().value(row).to_string(),
            _ => column
                .as_primitive::<TimestampMicrosecondType>()
                .value(row)
                .to_string(),
        };
        found.insert(field.name().clone(), text);
    }
    found
}

/// An object's members in order, duplicates too.
struct Members(Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct All;
        impl<'de> Visitor<'de> for All {
            type Value = Members;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(All)
    }
}

#[derive(Default)]
struct Naive {
    cells: Cells,
    extra: BTreeMap<String, String>,
}

impl Naive {
    fn row(line: &str) -> Option<Self> {
        let members: Members = serde_json::from_str(line).ok()?;
        let mut naive = Self::default();
        let had_version = members.0.iter().any(|(key, _)| key == "os_version");
        naive.object(members, &[])?;
        naive.cells.contains_key("id").then_some(())?;
        naive.cells.contains_key("created_at").then_some(())?;
        let is_split = |(name, version): &(&str, &str)| {
            !name.is_empty() && version.starts_with(|first: char| first.is_ascii_digit())
        };
        let os = naive.cells.get("os").cloned().unwrap_or_default();
        if let Some((name, version)) = os
            .rsplit_once(' ')
            .filter(is_split)
            .filter(|_| !had_version)
        {
            naive.cells.insert("os".into(), name.into());
            naive.cells.insert("os_version".into(), version.into());
        }
        if !naive.extra.is_empty() {
            let members: Vec<_> = naive
                .extra
                .iter()
                .map(|(path, value)| format!("\"{path}\":{value}"))
                .collect();
            naive
                .cells
                .insert(EXTRA.into(), format!("{{{}}}", members.join(",")));
        }
        Some(naive)
    }

    fn object(&mut self, members: Members, at: &[&str]) -> Option<()> {
        for (key, value) in members.0 {
            let mut path = at.to_vec();
            path.push(&key);
            let columns = contract::columns(SilverTable::Conversions);
            if let Some(column) = columns.iter().find(|column| column.path == path) {
                self.cell(column.name, column.kind, value.get())?;
            } else if columns.iter().any(|column| column.path.starts_with(&path)) {
                self.child(&path, value.get())?;
            } else {
                self.extra.insert(path.join("."), value.get().to_owned());
            }
        }
        Some(())
    }

    fn child(&mut self, path: &[&str], value: &str) -> Option<()> {
        let prefix = format!("{}__", path.join("__"));
        self.cells.retain(|name, _| !name.starts_with(&prefix));
        match value {
            _ if value.starts_with('{') => self.object(serde_json::from_str(value).unwrap(), path),
            "null" | "false" | "\"\"" => Some(()),
            _ if is_empty(value) => Some(()),
            _ if value.starts_with('[') || value == "true" => {
                self.extra.insert(path.join("."), value.to_owned());
                Some(())
            }
            _ => {
                let name = format!("{prefix}id");
                let kind = contract::columns(SilverTable::Conversions)
                    .iter()
                    .find(|column| column.name == name)
                    .unwrap()
                    .kind;
                self.cell(&name, kind, value)
            }
        }
    }

    fn cell(&mut self, name: &str, kind: Kind, value: &str) -> Option<()> {
        self.cells.remove(name);
        let text: Option<String> = serde_json::from_str(value).ok();
        let collection = value.starts_with(['[', '{']);
        let cell = match (kind, &text) {
            _ if value == "null" => None,
            (Kind::Flag, _) if matches!(value, "true" | "false") => Some(value.to_owned()),
            (Kind::Any | Kind::Rest, _) => Some(text.clone().unwrap_or_else(|| value.to_owned())),
            _ if value == "false" => None,
            (Kind::Text, Some(text)) => Some(text.clone()),
            (_, Some(text)) if text.is_empty() => None,
            (Kind::TextOrNull, Some(text)) => Some(text.clone()),
            (Kind::List, _) if is_empty(value) => Some("[]".into()),
            (Kind::Map, _) if is_empty(value) => Some("{}".into()),
            (Kind::List | Kind::Map, _) => Some(value.to_owned()),
            _ if is_empty(value) => None,
            (Kind::Text | Kind::TextOrNull, None) => Some(value.to_owned()),
            _ if collection || value == "true" => return None,
            (Kind::Instant, None) => return None,
            (Kind::Instant, Some(text)) if text.starts_with("0000-00-00") => None,
            (Kind::Instant, Some(text)) => {
                let parsed = jiff::civil::DateTime::strptime("%Y-%m-%d %H:%M:%S", text).ok()?;
                Some(
                    parsed
                        .to_zoned(jiff::tz::TimeZone::UTC)
                        .ok()?
                        .timestamp()
                        .as_microsecond()
                        .to_string(),
                )
            }
            (Kind::Int, _) => Some(whole(text.as_deref().unwrap_or(value))?),
            (Kind::Money, _) => Some(money(text.as_deref().unwrap_or(value))?),
            (Kind::Flag, _) => Some(match text.as_deref().unwrap_or(value) {
                "1" | "true" => "true".into(),
                "0" | "false" => "false".into(),
                _ => return None,
            }),
        };
        if let Some(cell) = cell {
            self.cells.insert(name.into(), cell);
        }
        Some(())
    }
}

fn is_empty(value: &str) -> bool {
    let squeezed: String = value.split_whitespace().collect();
    squeezed == "[]" || squeezed == "{}"
}

fn whole(text: &str) -> Option<String> {
    let digits = text.strip_suffix(".0").unwrap_or(text);
    digits
        .parse::<i64>()
        .ok()
        .filter(|_| !digits.starts_with('+'))
        .map(|value| value.to_string())
}

fn money(text: &str) -> Option<String> {
    let (sign, unsigned) = text
        .strip_prefix('-')
        .map_or(("", text), |rest| ("-", rest));
    let (before, after) = unsigned.split_once('.').unwrap_or((unsigned, "0"));
    let digits = format!("{before}{after:0<18}");
    if before.is_empty() || after.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(format!("{sign}{digits}").parse::<i128>().ok()?.to_string())
}

fn extra_as_map(cells: &mut Cells) -> Option<BTreeMap<String, String>> {
    let text = cells.remove(EXTRA)?;
    let members: Members = serde_json::from_str(&text).unwrap();
    Some(
        members
            .0
            .into_iter()
            .map(|(key, value)| (key, value.get().to_owned()))
            .collect(),
    )
}

const KEYS: &str = "id id created_at created_at updated_at click_time os os_version sub5 sub6 ua offer_id partner_id city_id sum revenue \
    payouts earnings price is_paid comment fraud_type unknown offer__id goal goal_value status referrer";
const VALUES: [&str; 36] = [
    "null",
    "\"\"",
    "\"text\"",
    "\"Android 14\"",
    "\"OS X 10.15\"",
    "\"a\\nb\\u00e9\\\"\"",
    "\"日本 🚀\"",
    "\"12\"",
    "12",
    "-7",
    "12.5",
    "12.0",
    "\"9.5\"",
    "12.4300000001",
    "9007199254740993",
    "99999999999999999999",
    "true",
    "false",
    "[]",
    "{}",
    "[ ]",
    "{ }",
    "[1, \"a\"]",
    "{\"a\": [1,2]}",
    "\"2026-01-06 03:08:29\"",
    "\"2026-01-06 03:08:30\"",
    "\"2026-02-30 00:00:00\"",
    "\"0000-00-00 00:00:00\"",
    "\"66f1a0c29b1e4d00178b4567\"",
    "0",
    "1",
    "\"1\"",
    "-0.01",
    "0.5",
    "\"2024-02-29 23:59:59\"",
    "\" \"",
];
const GOOD: [&str; 2] = ["\"id\":\"66f1\"", "\"created_at\":\"2026-01-06 03:08:29\""];

fn member() -> impl Strategy<Value = String> {
    let key = prop::sample::select(KEYS.split_whitespace().collect::<Vec<_>>());
    let value = prop::sample::select(VALUES.to_vec());
    let flat = (key, value, " {0,2}")
        .prop_map(|(key, value, space)| format!("{space}\"{key}\"{space}:{space}{value}"));
    let inner = prop::collection::vec(
        (
            prop::sample::select(vec![
                "id",
                "title",
                "external_id",
                "payments",
                "ext",
                "manager",
                "manager_id",
            ]),
            prop::sample::select(VALUES.to_vec()),
        ),
        0..4,
    );
    let object = (
        prop::sample::select(vec!["offer", "partner", "advertiser"]),
        inner,
        prop::bool::ANY,
    )
        .prop_map(|(key, inner, bare)| {
            let mut text = format!("\"{key}\":");
            if bare && let Some((_, value)) = inner.first() {
                text.push_str(value);
                return text;
            }
            let members: Vec<_> = inner
                .iter()
                .map(|(key, value)| format!("\"{key}\":{value}"))
                .collect();
            let _ = write!(text, "{{{}}}", members.join(","));
            text
        });
    prop_oneof![3 => flat, 1 => object]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn decodes_as_the_naive_implementation_does(rows in prop::collection::vec((prop::collection::vec(member(), 0..6), 0usize..4, prop::bool::weighted(0.05)), 1..6)) {
        let lines: Vec<String> = rows.into_iter().map(|(mut members, good, cut)| {
            if good > 0 {
                members.insert(0, GOOD.join(","));
            }
            let mut line = format!("{{{}}}", members.join(","));
            if cut {
                line.pop();
            }
            line
        }).collect();
        let borrowed: Vec<&str> = lines.iter().map(String::as_str).collect();
        let (outcomes, batch, _) = decode_all(SilverTable::Conversions, &borrowed);
        for (line, outcome) in lines.iter().zip(outcomes) {
            let naive = Naive::row(line);
            prop_assert_eq!(outcome.is_ok(), naive.is_some(), "{} {:?}", line, outcome);
            if let (Ok(row), Some(mut naive)) = (outcome, naive) {
                let mut ours = cells(&batch, row);
                prop_assert_eq!(extra_as_map(&mut ours), extra_as_map(&mut naive.cells), "{}", line);
                prop_assert_eq!(ours, naive.cells, "{}", line);
            }
        }
    }
}

#[test]
fn the_example_of_the_fact_sheet() {
    let line = r#"{"id":"66f1","offer":{"id":3725,"title":"Crédit rapide – Łódź 🚀","external_id":false},"offer_id":"3725",
        "partner":{"id":12,"login":"","name":null,"manager":null},"os":"Android 14","sub1":"","sub3":"a|b;c\t\"d\"","sub5":"日本語",
        "sum":0,"revenue":12.4300000001,"payouts":"9.5","earnings":2.93,"created_at":"2026-01-06 03:08:29","click_time":"","fraud_type":[]}"#
        .replace('\n', "");
    let second = r#"{"id":"66f2","offer":null,"revenue":0,"payouts":0,"earnings":-0.01,"created_at":"2026-01-06 04:00:00"}"#;
    let (outcomes, batch, tally) = decode_all(SilverTable::Conversions, &[&line, second]);
    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    let found = cells(&batch, 0);
    let is = |name: &str, value: &str| {
        assert_eq!(found.get(name).map(String::as_str), Some(value), "{name}")
    };
    is("os", "Android");
    is("os_version", "14");
    is("offer_id", "3725");
    is("income", "12430000000100000000");
    is("payouts", "9500000000000000000");
    is("partner__login", "");
    is("sub3", "a|b;c\t\"d\"");
    is("fraud_type", "[]");
    for null in [
        "sub1",
        "click_time",
        "offer__external_id",
        "partner__manager__id",
        EXTRA,
    ] {
        assert!(!found.contains_key(null), "{null}");
    }
    assert_eq!(tally.money_mismatches, 1);
    assert_eq!(tally.drift[&("offer_id", "text in a number")].rows, 1);
}

#[test]
fn odd_values_are_kept_beside_the_row() {
    let noise = r#"{"id":"1","created_at":"2026-01-06 03:08:29","earnings":-5.551115123125783e-17,"goal":"x\ud800y","offer__id":-1,"offer":{"id":5},
        "api_key":"K1","new":{"password":"K2","a":1}}"#
        .replace('\n', "");
    let (outcomes, batch, tally) = decode_all(SilverTable::Conversions, &[&noise]);
    assert!(outcomes[0].is_ok());
    let found = cells(&batch, 0);
    assert_eq!(found["earnings"], "-56");
    assert_eq!(found["goal"], "x\u{fffd}y");
    assert_eq!(found["offer__id"], "5");
    let wanted =
        r#"{"earnings":-5.551115123125783e-17,"goal":"x\ud800y","offer__id":-1,"new":{"a":1}}"#;
    assert_eq!(found[EXTRA], wanted);
    assert_eq!(tally.secret_rows, 1);
}

#[test]
fn the_last_of_two_equal_keys_counts() {
    let line = r#"{"id":"1","id":"2","created_at":"2026-01-06 03:08:29","offer":{"id":5,"title":"a"},"offer":{"title":"b"},"x":1,"x":[2],"y":0}"#;
    let (outcomes, batch, tally) = decode_all(SilverTable::Conversions, &[line]);
    assert!(outcomes[0].is_ok());
    let found = cells(&batch, 0);
    assert_eq!(
        (
            found["id"].as_str(),
            found["offer__title"].as_str(),
            found.get("offer__id")
        ),
        ("2", "b", None)
    );
    assert_eq!(found[EXTRA], r#"{"x":[2],"y":0}"#);
    assert_eq!(tally.duplicate_keys, 3);
}

fn activity(kind: u32, attributes: &str) -> String {
    format!(
        r#"{{"marketoGUID":"g","leadId":1,"activityDate":"2026-11-24T09:00:00Z","activityTypeId":{kind},"attributes":{attributes}}}"#
    )
}

#[test]
fn an_attribute_of_another_type_than_its_column_is_kept_in_attributes() {
    // Twice the same names: of Marketo's own score change, and of a type that people defined.
    let score = activity(22, r#"{"Urgency":1.5,"Priority":2.25,"Step ID":"A-17"}"#);
    let ticket = activity(
        100_001,
        r#"{"Priority":"High","Success":"partly","Step ID":"007","Device":42,"Urgency":"1e","Merge IDs":[1]}"#,
    );
    let lines = [score.as_str(), ticket.as_str()];
    let (outcomes, batch, tally) = decode_all(SilverTable::MarketoActivities, &lines);
    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    let (score, ticket) = (cells(&batch, 0), cells(&batch, 1));
    assert_eq!(score["urgency"], "1500000000000000000");
    assert_eq!(score["priority"], "2250000000000000000");
    assert_eq!(score["attributes"], r#"{"Step ID":"A-17"}"#);
    assert_eq!(
        ticket["attributes"],
        r#"{"Priority":"High","Success":"partly","Step ID":"007","Device":42,"Urgency":"1e","Merge IDs":[1]}"#
    );
    assert_eq!(
        (ticket["step_id"].as_str(), ticket["device"].as_str()),
        ("7", "42")
    );
    assert!(!ticket.contains_key("priority") && !ticket.contains_key("success"));
    assert!(!score.contains_key(EXTRA) && !ticket.contains_key(EXTRA));
    assert_eq!(tally.duplicate_keys, 0);
    assert_eq!(
        tally.drift[&("priority", "of another type, kept in attributes")].rows,
        1
    );
}

#[test]
fn secrets_are_taken_out_of_attributes_kept_whole() {
    let line = activity(
        100_002,
        r#"{"Priority":"High","api_key":"K1","Note":{"password":"K2","a":1}}"#,
    );
    let (outcomes, batch, _) = decode_all(SilverTable::MarketoActivities, &[&line]);
    assert!(outcomes[0].is_ok());
    assert_eq!(
        cells(&batch, 0)["attributes"],
        r#"{"Priority":"High","Note":{"a":1}}"#
    );
}

#[test]
fn a_dotted_key_and_a_nested_one_are_two_fields() {
    let row = |rest: &str| format!(r#"{{"id":"1","created_at":"2026-01-06 03:08:29",{rest}}}"#);
    for (rest, wanted) in [
        (
            r#""offer":{"id":41,"vertical":"inner"},"offer.vertical":"dotted""#,
            r#"{"offer.vertical":"inner","offer\\.vertical":"dotted"}"#,
        ),
        (
            r#""offer.vertical":"dotted","offer":{"vertical":"inner"}"#,
            r#"{"offer\\.vertical":"dotted","offer.vertical":"inner"}"#,
        ),
        // Two levels down, from both sides; and a key that looks like the escaped one.
        (
            r#""partner":{"manager.x":1,"manager":{"x":2}},"partner.manager.x":3,"partner\\.manager\\.x":4"#,
            r#"{"partner.manager\\.x":1,"partner.manager.x":2,"partner\\.manager\\.x":3,"partner\\\\\\.manager\\\\\\.x":4}"#,
        ),
        // No object of the contract has these names: nothing to tell apart.
        (r#""a.b":1,"a":{"b":2}"#, r#"{"a.b":1,"a":{"b":2}}"#),
        (
            r#""Sub1":"upper","tier":1,"Tier":2"#,
            r#"{"Sub1":"upper","tier":1,"Tier":2}"#,
        ),
    ] {
        let (outcomes, batch, tally) = decode_all(SilverTable::Conversions, &[&row(rest)]);
        assert!(outcomes[0].is_ok(), "{rest}");
        let extra = cells(&batch, 0)[EXTRA].clone();
        assert_eq!(extra, wanted);
        assert_eq!(tally.duplicate_keys, 0, "{rest}");
        assert!(serde_json::from_str::<serde_json::Value>(&extra).is_ok());
    }
    // One key in two spellings did come twice.
    let line = row(r#""caf\u00e9":1,"café":2"#);
    let (_, batch, tally) = decode_all(SilverTable::Conversions, &[&line]);
    assert_eq!(cells(&batch, 0)[EXTRA], r#"{"café":2}"#);
    assert_eq!(tally.duplicate_keys, 1);
}
