//! Random statements in Trino's spelling.
//!
//! Left out, because DuckDB or sqlglot's translation differs from Trino there: `/` of whole numbers (DuckDB's gives a
//! double), `x % 0` (NULL in DuckDB), `avg` of decimals (a double), `concat`, `greatest` and `least` of NULL (DuckDB leaves
//! the NULL out), `count_if` of no row (NULL), `SELECT *` of a join with USING (another order of columns), products of decimals (other digits), LIMIT
//! without a total order (any rows are right).

use super::{
    dice::Dice,
    tables::{Kind, TABLES, literal},
};

/// A column that can be asked for.
#[derive(Debug, Clone)]
pub struct Column {
    pub name: String,
    pub kind: Kind,
}

/// A statement and whether its rows have an order.
#[derive(Debug, Clone)]
pub struct Asked {
    pub sql: String,
    pub ordered: bool,
}

const KINDS: [Kind; 5] = [Kind::Int, Kind::Decimal, Kind::Text, Kind::Bool, Kind::Date];

/// Makes statements about the tables.
pub struct Maker<'d> {
    pub dice: &'d mut Dice,
    /// Names given to tables of subqueries so far.
    names: usize,
}

/// The columns of a table under a name.
pub fn columns(table: usize, alias: &str) -> Vec<Column> {
    let columns = TABLES[table].1.iter();
    columns
        .map(|(name, kind)| Column {
            name: format!("{alias}.{name}"),
            kind: *kind,
        })
        .collect()
}

impl<'d> Maker<'d> {
    pub fn new(dice: &'d mut Dice) -> Self {
        Self { dice, names: 0 }
    }

    fn name(&mut self) -> String {
        self.names += 1;
        format!("x{}", self.names)
    }

    fn pick<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.dice.roll(of.len())]
    }

    /// A value of a kind.
    pub fn value(&mut self, kind: Kind, scope: &[Column], depth: usize) -> String {
        let known: Vec<_> = scope.iter().filter(|column| column.kind == kind).collect();
        if depth == 0 || self.dice.once_in(3) {
            if known.is_empty() || self.dice.once_in(4) {
                return literal(self.dice, kind);
            }
            return self.dice.one_of(&known).name.clone();
        }
        let inner = |maker: &mut Self, kind| maker.value(kind, scope, depth - 1);
        match self.dice.roll(7) {
            0 => format!("coalesce({}, {})", inner(self, kind), inner(self, kind)),
            1 => format!("nullif({}, {})", inner(self, kind), inner(self, kind)),
            2 => {
                let (then, other) = (inner(self, kind), inner(self, kind));
                let condition = self.plain_condition(scope, depth - 1);
                format!("CASE WHEN {condition} THEN {then} ELSE {other} END")
            }
            3 => {
                let then = inner(self, kind);
                let condition = self.plain_condition(scope, depth - 1);
                format!("IF({condition}, {then})")
            }
            _ => self.computed(kind, scope, depth),
        }
    }

    fn computed(&mut self, kind: Kind, scope: &[Column], depth: usize) -> String {
        let inner = |maker: &mut Self, kind| maker.value(kind, scope, depth - 1);
        match kind {
            Kind::Int => match self.dice.roll(6) {
                0 => format!("({} + {})", inner(self, Kind::Int), inner(self, Kind::Int)),
                1 => format!("({} - {})", inner(self, Kind::Int), inner(self, Kind::Int)),
                2 => format!("({} * 3)", inner(self, Kind::Int)),
                3 => format!("abs({})", inner(self, Kind::Int)),
                4 => format!("({} % 2)", inner(self, Kind::Int)),
                _ => format!("CAST(length({}) AS integer)", inner(self, Kind::Text)),
            },
            Kind::Decimal => match self.dice.roll(2) {
                0 => {
                    let (left, right) = (inner(self, Kind::Decimal), inner(self, Kind::Decimal));
                    format!("CAST(({left} + {right}) AS decimal(10,2))")
                }
                _ => format!("abs({})", inner(self, Kind::Decimal)),
            },
            Kind::Text => match self.dice.roll(4) {
                0 => format!("upper({})", inner(self, Kind::Text)),
                1 => format!(
                    "({} || {})",
                    inner(self, Kind::Text),
                    inner(self, Kind::Text)
                ),
                2 => format!("substr({}, 1, 1)", inner(self, Kind::Text)),
                _ => format!("replace({}, 'a', 'x')", inner(self, Kind::Text)),
            },
            Kind::Bool => self.plain_condition(scope, depth - 1),
            Kind::Date => format!("date_add('day', 1, {})", inner(self, Kind::Date)),
        }
    }

    /// A condition without a subquery.
    fn plain_condition(&mut self, scope: &[Column], depth: usize) -> String {
        self.condition(scope, depth, false)
    }

    /// A condition, told in parentheses.
    pub fn condition(&mut self, scope: &[Column], depth: usize, subqueries: bool) -> String {
        if depth > 0 && self.dice.once_in(2) {
            let left = self.condition(scope, depth - 1, subqueries);
            let right = self.condition(scope, depth - 1, subqueries);
            return match self.dice.roll(5) {
                0 | 1 => format!("({left} AND {right})"),
                2 | 3 => format!("({left} OR {right})"),
                _ => format!("(NOT {left})"),
            };
        }
        if subqueries && self.dice.once_in(3) {
            return self.asking(scope);
        }
        let kind = *self.dice.one_of(&KINDS);
        let value = self.value(kind, scope, depth.min(1));
        let not = self.pick(&["", "NOT "]);
        match self.dice.roll(8) {
            0 => format!("({value} IS {not}NULL)"),
            1 => {
                let list = self.list(kind);
                format!("({value} {not}IN ({list}))")
            }
            2 if kind != Kind::Bool => {
                let (low, high) = (literal(self.dice, kind), self.value(kind, scope, 0));
                format!("({value} {not}BETWEEN {low} AND {high})")
            }
            3 => {
                let other = self.value(kind, scope, 0);
                format!("({value} IS {not}DISTINCT FROM {other})")
            }
            4 if kind == Kind::Text => {
                let pattern = self.pick(&["'a%'", "'%b'", "'_'", "'%'", "''", "'a\\%'"]);
                format!("({value} {not}LIKE {pattern})")
            }
            5 if kind == Kind::Text => format!("({value} {not}LIKE '%!_%' ESCAPE '!')"),
            6 if kind == Kind::Bool => format!("({value})"),
            _ => {
                let sign = self.pick(&["=", "<>", "<", "<=", ">", ">="]);
                let other = self.value(kind, scope, depth.min(1));
                format!("({value} {sign} {other})")
            }
        }
    }

    /// Literals, one of them NULL now and then.
    fn list(&mut self, kind: Kind) -> String {
        let mut items: Vec<String> = (0..1 + self.dice.roll(3))
            .map(|_| literal(self.dice, kind))
            .collect();
        if self.dice.once_in(3) {
            items.push("NULL".to_owned());
        }
        items.join(", ")
    }

    /// A condition that asks another table.
    fn asking(&mut self, scope: &[Column]) -> String {
        let (table, alias) = (self.dice.roll(2), self.name());
        let inside = columns(table, &alias);
        let name = TABLES[table].0;
        let not = self.pick(&["", "NOT "]);
        let filter = match self.dice.once_in(2) {
            true => format!(" WHERE {}", self.condition(&inside, 1, false)),
            false => String::new(),
        };
        match self.dice.roll(4) {
            0 | 1 => {
                let kind = *self.dice.one_of(&[Kind::Int, Kind::Text, Kind::Date]);
                let (value, of) = (self.value(kind, scope, 0), self.value(kind, &inside, 0));
                format!("({value} {not}IN (SELECT {of} FROM {name} {alias}{filter}))")
            }
            2 => {
                let key = scope
                    .iter()
                    .find(|column| column.kind == Kind::Int)
                    .unwrap();
                let key = key.name.clone();
                let and = filter.replace("WHERE", "AND");
                format!("({not}EXISTS (SELECT 1 FROM {name} {alias} WHERE {alias}.k = {key}{and}))")
            }
            _ => {
                let value = self.value(Kind::Int, scope, 0);
                let sign = self.pick(&["=", "<>", "<", ">="]);
                let aggregate = self.pick(&["max", "min", "count"]);
                format!(
                    "({value} {sign} (SELECT {aggregate}({alias}.k) FROM {name} {alias}{filter}))"
                )
            }
        }
    }

    /// Values of some kinds, for a SELECT list.
    fn items(&mut self, kinds: &[Kind], scope: &[Column], depth: usize) -> String {
        let items = kinds.iter().enumerate().map(|(at, kind)| {
            // A column that stands twice would be two columns of one name.
            format!("{} AS c{}", self.value(*kind, scope, depth), at + 1)
        });
        items.collect::<Vec<_>>().join(", ")
    }

    fn kinds(&mut self) -> Vec<Kind> {
        (0..1 + self.dice.roll(3))
            .map(|_| *self.dice.one_of(&KINDS))
            .collect()
    }

    /// What stands behind FROM, and its columns.
    fn relation(&mut self) -> (String, Vec<Column>) {
        let (first, left) = (self.dice.roll(2), self.name());
        let name = TABLES[first].0;
        match self.dice.roll(5) {
            0 => {
                let (second, right) = (self.dice.roll(2), self.name());
                let mut scope = columns(first, &left);
                scope.extend(columns(second, &right));
                let join = self.pick(&["JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"]);
                let more = match self.dice.once_in(3) {
                    true => format!(" AND {}", self.plain_condition(&scope, 1)),
                    false => String::new(),
                };
                let other = TABLES[second].0;
                let from =
                    format!("{name} {left} {join} {other} {right} ON {left}.k = {right}.k{more}");
                (from, scope)
            }
            1 => {
                let (second, right) = (1 - first, self.name());
                let join = self.pick(&["JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"]);
                let mut scope: Vec<Column> = columns(first, &left)
                    .into_iter()
                    .chain(columns(second, &right))
                    .filter(|column| !column.name.ends_with(".k"))
                    .collect();
                scope.push(Column {
                    name: "k".to_owned(),
                    kind: Kind::Int,
                });
                let other = TABLES[second].0;
                (
                    format!("{name} {left} {join} {other} {right} USING (k)"),
                    scope,
                )
            }
            2 => {
                let inside = columns(first, &left);
                let alias = self.name();
                let kinds = [Kind::Int, Kind::Text, Kind::Bool];
                let values: Vec<String> = kinds
                    .iter()
                    .map(|kind| self.value(*kind, &inside, 1))
                    .collect();
                let filter = self.condition(&inside, 1, false);
                let from = format!(
                    "(SELECT {} AS a1, {} AS a2, {} AS a3 FROM {name} {left} WHERE {filter}) {alias}",
                    values[0], values[1], values[2]
                );
                let scope = kinds.iter().enumerate().map(|(at, kind)| Column {
                    name: format!("{alias}.a{}", at + 1),
                    kind: *kind,
                });
                (from, scope.collect())
            }
            _ => (format!("{name} {left}"), columns(first, &left)),
        }
    }

    /// A SELECT of values of these kinds, without an order.
    fn select(&mut self, kinds: &[Kind], depth: usize) -> String {
        let (from, scope) = self.relation();
        let distinct = if self.dice.once_in(5) {
            "DISTINCT "
        } else {
            ""
        };
        let items = self.items(kinds, &scope, depth);
        let filter = self.filter(&scope);
        format!("SELECT {distinct}{items} FROM {from}{filter}")
    }

    fn filter(&mut self, scope: &[Column]) -> String {
        match self.dice.once_in(4) {
            true => String::new(),
            false => format!(" WHERE {}", self.condition(scope, 2, true)),
        }
    }

    fn aggregated(&mut self) -> (String, usize) {
        let (from, scope) = self.relation();
        let keys: Vec<String> = (0..self.dice.roll(3))
            .map(|_| {
                let kind = *self.dice.one_of(&KINDS);
                let depth = usize::from(self.dice.once_in(3));
                self.value(kind, &scope, depth)
            })
            .collect();
        let aggregate = |maker: &mut Self| {
            let int = maker.value(Kind::Int, &scope, 1);
            let kind = *maker
                .dice
                .one_of(&[Kind::Int, Kind::Decimal, Kind::Text, Kind::Date]);
            let any = maker.value(kind, &scope, 0);
            let decimal = maker.value(Kind::Decimal, &scope, 0);
            let condition = maker.plain_condition(&scope, 1);
            let told = match maker.dice.roll(10) {
                0 => "count(*)".to_owned(),
                1 => format!("count({any})"),
                2 => format!("count(DISTINCT {any})"),
                3 => format!("sum({int})"),
                4 => format!("sum({decimal})"),
                5 => format!("min({any})"),
                6 => format!("max({any})"),
                7 => format!("avg({int})"),
                8 => format!("bool_and({condition})"),
                // DuckDB counts no row as NULL.
                _ => return format!("coalesce(count_if({condition}), 0)"),
            };
            match maker.dice.once_in(4) {
                true => format!("{told} FILTER (WHERE {condition})"),
                false => told,
            }
        };
        let named = keys.iter().enumerate();
        let mut items: Vec<String> = named
            .map(|(at, key)| format!("{key} AS c{}", at + 1))
            .collect();
        for _ in 0..1 + self.dice.roll(3) {
            items.push(aggregate(self));
        }
        let filter = self.filter(&scope);
        let places: Vec<String> = (1..=keys.len()).map(|at| at.to_string()).collect();
        let group = match keys.len() {
            0 => String::new(),
            // Two columns that are the same one would be one set of keys.
            2 if keys[0] != keys[1]
                && keys
                    .iter()
                    .all(|key| scope.iter().any(|column| column.name == *key))
                && self.dice.once_in(3) =>
            {
                let form = self.pick(&["ROLLUP", "CUBE"]);
                format!(" GROUP BY {form} ({})", keys.join(", "))
            }
            _ => format!(" GROUP BY {}", places.join(", ")),
        };
        let having = match self.dice.once_in(3) {
            true => {
                let (sign, count) = (self.pick(&[">", "<=", "<>"]), self.dice.roll(4));
                let told = match self.dice.roll(3) {
                    0 => "count(*)".to_owned(),
                    1 => format!("sum({})", self.value(Kind::Int, &scope, 0)),
                    _ => format!("max({})", self.value(Kind::Int, &scope, 0)),
                };
                format!(" HAVING {told} {sign} {count}")
            }
            false => String::new(),
        };
        let width = items.len();
        (
            format!(
                "SELECT {} FROM {from}{filter}{group}{having}",
                items.join(", ")
            ),
            width,
        )
    }

    fn windowed(&mut self) -> (String, usize) {
        let (table, alias) = (self.dice.roll(2), self.name());
        let scope = columns(table, &alias);
        // A total order: rows that are equal in all of it cannot be told apart.
        let order: Vec<String> = scope
            .iter()
            .map(|column| {
                let way = self.pick(&["", " DESC", " NULLS FIRST", " DESC NULLS LAST"]);
                format!("{}{way}", column.name)
            })
            .collect();
        let order = order.join(", ");
        let by = self.value(Kind::Int, &scope, 0);
        let partition = match self.dice.once_in(3) {
            true => String::new(),
            false => format!("PARTITION BY {by} "),
        };
        let (loose, int) = (
            self.value(Kind::Int, &scope, 0),
            self.value(Kind::Int, &scope, 1),
        );
        let kind = *self.dice.one_of(&[Kind::Int, Kind::Text, Kind::Date]);
        let any = self.value(kind, &scope, 0);
        let told = |maker: &mut Self| {
            let rows = maker.pick(&[
                "",
                " ROWS BETWEEN 1 PRECEDING AND CURRENT ROW",
                " ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING",
                " ROWS BETWEEN 1 FOLLOWING AND 2 FOLLOWING",
            ]);
            match maker.dice.roll(9) {
                0 => format!("row_number() OVER ({partition}ORDER BY {order})"),
                1 => format!("rank() OVER ({partition}ORDER BY {loose})"),
                2 => format!("dense_rank() OVER ({partition}ORDER BY {loose} DESC)"),
                3 => format!("sum({int}) OVER ({partition}ORDER BY {order}{rows})"),
                4 => format!("sum({int}) OVER ({partition}ORDER BY {loose})"),
                5 => format!("lag({any}, 1) OVER ({partition}ORDER BY {order})"),
                6 => format!("lead({any}) OVER ({partition}ORDER BY {order})"),
                7 => format!("first_value({any}) OVER ({partition}ORDER BY {order}{rows})"),
                _ => format!("count({any}) OVER ({partition}ORDER BY {order}{rows})"),
            }
        };
        let windows = [told(self), told(self)];
        let all: Vec<String> = scope.iter().map(|column| column.name.clone()).collect();
        let filter = self.filter(&scope);
        let name = TABLES[table].0;
        let width = all.len() + windows.len();
        (
            format!(
                "SELECT {}, {} FROM {name} {alias}{filter}",
                all.join(", "),
                windows.join(", ")
            ),
            width,
        )
    }

    /// Any statement.
    pub fn statement(&mut self) -> Asked {
        self.names = 0;
        let kinds = self.kinds();
        let (sql, width) = match self.dice.roll(10) {
            0..=3 => (self.select(&kinds, 2), kinds.len()),
            4 | 5 => self.aggregated(),
            6 | 7 => {
                let operator = self.pick(&[
                    "UNION",
                    "UNION ALL",
                    "INTERSECT",
                    "INTERSECT ALL",
                    "EXCEPT",
                    "EXCEPT ALL",
                ]);
                let (left, right) = (self.select(&kinds, 0), self.select(&kinds, 0));
                (format!("{left} {operator} {right}"), kinds.len())
            }
            8 => self.windowed(),
            _ => {
                let (table, width) = (self.name(), kinds.len());
                let names: Vec<String> = (1..=width).map(|at| format!("c{at}")).collect();
                let scope: Vec<Column> = names
                    .iter()
                    .zip(&kinds)
                    .map(|(name, kind)| Column {
                        name: format!("{table}.{name}"),
                        kind: *kind,
                    })
                    .collect();
                let inner = self.select(&kinds, 1);
                let filter = self.condition(&scope, 1, false);
                let sql = format!(
                    "WITH {table} ({}) AS ({inner}) SELECT * FROM {table} WHERE {filter}",
                    names.join(", ")
                );
                (sql, width)
            }
        };
        self.in_order(sql, width)
    }

    /// Ordered by all of its columns now and then, with a limit.
    fn in_order(&mut self, sql: String, width: usize) -> Asked {
        if !self.dice.once_in(3) {
            return Asked {
                sql,
                ordered: false,
            };
        }
        let order: Vec<String> = (1..=width)
            .map(|at| {
                let way = self.pick(&[
                    "",
                    " DESC",
                    " ASC NULLS FIRST",
                    " DESC NULLS FIRST",
                    " NULLS LAST",
                ]);
                format!("{at}{way}")
            })
            .collect();
        let limit = match self.dice.roll(3) {
            0 => format!(" LIMIT {}", self.dice.roll(4)),
            1 => format!(" OFFSET {} LIMIT 3", self.dice.roll(3)),
            _ => String::new(),
        };
        Asked {
            sql: format!("{sql} ORDER BY {}{limit}", order.join(", ")),
            ordered: true,
        }
    }
}
