//! Small tables of many NULLs and many equal values.

use super::dice::Dice;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Int,
    Decimal,
    Text,
    Bool,
    Date,
}

/// Columns of the two tables, which differ in what they have beside the key.
pub const TABLES: [(&str, &[(&str, Kind)]); 2] = [
    (
        "t",
        &[
            ("k", Kind::Int),
            ("n", Kind::Int),
            ("d", Kind::Decimal),
            ("s", Kind::Text),
            ("b", Kind::Bool),
            ("day", Kind::Date),
        ],
    ),
    (
        "u",
        &[
            ("k", Kind::Int),
            ("m", Kind::Int),
            ("e", Kind::Decimal),
            ("w", Kind::Text),
            ("c", Kind::Bool),
            ("at", Kind::Date),
        ],
    ),
];

/// The type of a column in DDL of both engines.
pub fn type_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Int => "integer",
        Kind::Decimal => "decimal(10,2)",
        Kind::Text => "varchar",
        Kind::Bool => "boolean",
        Kind::Date => "date",
    }
}

/// A value as it is written in a statement.
pub fn literal(dice: &mut Dice, kind: Kind) -> String {
    match kind {
        Kind::Int => (*dice.one_of(&["0", "1", "2", "3", "-1", "7"])).to_owned(),
        Kind::Decimal => (*dice.one_of(&[
            "DECIMAL '0.00'",
            "DECIMAL '1.50'",
            "DECIMAL '2.25'",
            "DECIMAL '-1.50'",
            "DECIMAL '10.00'",
        ]))
        .to_owned(),
        Kind::Text => {
            (*dice.one_of(&["''", "'a'", "'ab'", "'b'", "'B'", "'a_b'", "'a%'"])).to_owned()
        }
        Kind::Bool => (*dice.one_of(&["true", "false"])).to_owned(),
        Kind::Date => (*dice.one_of(&[
            "DATE '2024-01-31'",
            "DATE '2024-02-29'",
            "DATE '2024-03-01'",
            "DATE '2023-12-31'",
        ]))
        .to_owned(),
    }
}

/// Rows of a table, cell by cell as they are written.
pub fn rows(dice: &mut Dice, columns: &[(&str, Kind)]) -> Vec<Vec<String>> {
    let count = 2 + dice.roll(8);
    (0..count)
        .map(|_| {
            columns
                .iter()
                .map(|(_, kind)| match dice.once_in(4) {
                    true => "NULL".to_owned(),
                    false => literal(dice, *kind),
                })
                .collect()
        })
        .collect()
}

/// `(1, NULL), (2, 'a')`.
pub fn values(rows: &[Vec<String>]) -> String {
    let rows = rows.iter().map(|row| format!("({})", row.join(", ")));
    rows.collect::<Vec<_>>().join(", ")
}
