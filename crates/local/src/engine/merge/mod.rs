//! MERGE INTO, as Trino defines it, in one commit.
//!
//! The files of the target that the ON clause can reach are read once. Rows that match are updated,
//! deleted or kept; source rows without a match are inserted. Two passes instead of a full join keep memory
//! small: the target streams past the source rows that can match at all, and only source rows whose keys are
//! not null are looked up in the target.
//!
//! A target row that two source rows match is an error, whichever clause applies (Trino's
//! `MERGE_TARGET_ROW_MULTIPLE_MATCHES`). It is checked first: cheaply when the source is unique by its keys,
//! exactly otherwise.

use datafusion::sql::sqlparser::ast::{
    Expr, Ident, Merge, MergeAction, MergeClauseKind, MergeInsertKind, TableFactor,
};
use deltalake::protocol::{DeltaOperation, MergePredicate};
use tokio_util::sync::CancellationToken;

use lakehand_engine::{
    command::{single_assignment, table_name},
    rewrite::{and, ident},
};

use super::{
    Effect, Session,
    catalog::LakeCatalog,
    dml::{TARGET, check_assignments, overlay},
    error::{EngineError, refused},
    write::{KIND_COLUMN, RowKind, Target},
};

mod condition;

use condition::{Condition, Names, Side, split};

/// Marks the columns of a source row that joined.
const MATCHED: &str = "__matched";

/// `column = expression`.
type Set = (String, Expr);

/// What to do with a row; the first clause whose condition holds is taken.
enum Clause {
    Update {
        when: Option<Expr>,
        set: Vec<Set>,
    },
    Delete {
        when: Option<Expr>,
    },
    Insert {
        when: Option<Expr>,
        columns: Vec<String>,
        values: Vec<Expr>,
    },
}

/// The statement, taken apart.
struct Parts {
    target: Target,
    alias: Ident,
    /// `(…) AS s` or `name AS s`, as it stands.
    source: String,
    source_alias: Ident,
    on: Vec<Condition>,
    clauses: Vec<Clause>,
}

pub(super) async fn merge(
    session: &Session,
    merge: Merge,
    cancel: &CancellationToken,
) -> Result<Effect, EngineError> {
    let parts = Parts::new(session, merge).await?;
    let context = session.context(session.catalog());
    let reach = parts
        .on
        .iter()
        .filter(|part| matches!(part.side, Side::Target))
        .map(|part| part.expr.clone())
        .reduce(and);
    let mut candidates = parts
        .target
        .candidates(&context, &parts.alias.value, reach)?;
    let catalog = overlay(session, &parts.target, &candidates).await?;
    parts.check_types(session, &catalog).await?;
    parts.check_single_matches(session, &catalog).await?;
    let changes_rows = parts
        .clauses
        .iter()
        .any(|clause| !matches!(clause, Clause::Insert { .. }));
    let mut passes = Vec::new();
    if changes_rows {
        passes.push(parts.matched_pass());
    } else {
        // Nothing that exists is touched, so no file has to be replaced.
        candidates.keep_all();
    }
    passes.extend(parts.not_matched_passes());
    let plan = session
        .plan_sql(&passes.join(" UNION ALL "), catalog)
        .await?;
    let written = parts.target.write(session, &plan, cancel).await?;
    let existing = written.count(RowKind::Kept) + written.count(RowKind::Updated);
    let deleted = if changes_rows {
        candidates.rows.saturating_sub(existing)
    } else {
        0
    };
    let rows = deleted + written.count(RowKind::Updated) + written.count(RowKind::Inserted);
    let effect = Effect {
        rows,
        bytes_scanned: written.bytes_scanned,
    };
    if rows == 0 {
        parts.target.abandon(written).await;
        return Ok(effect);
    }
    let operation = parts.operation();
    parts
        .target
        .commit(written, candidates, operation, false)
        .await?;
    Ok(effect)
}

impl Parts {
    async fn new(session: &Session, merge: Merge) -> Result<Self, EngineError> {
        let TableFactor::Table { name, alias, .. } = &merge.table else {
            return Err(refused(
                "SYNTAX_ERROR",
                "the target of MERGE INTO is not a table",
            ));
        };
        let table = table_name(name);
        let target = Target::open(session, &table).await?;
        let alias = alias
            .as_ref()
            .map_or_else(|| ident(&table), |alias| alias.name.clone());
        let source_alias = match &merge.source {
            TableFactor::Table {
                alias: Some(alias), ..
            }
            | TableFactor::Derived {
                alias: Some(alias), ..
            } => alias.name.clone(),
            TableFactor::Table {
                name, alias: None, ..
            } => ident(&table_name(name)),
            _ => {
                return Err(refused(
                    "SYNTAX_ERROR",
                    "the source of MERGE needs an alias: USING (SELECT …) AS s",
                ));
            }
        };
        let known = Names {
            target: &alias,
            source: &source_alias,
            columns: target.columns().map(str::to_owned).collect(),
        };
        let mut on = Vec::new();
        split(*merge.on, &known, &mut on);
        let clauses = merge
            .clauses
            .into_iter()
            .map(|clause| Clause::new(clause, &target))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            target,
            alias,
            source: merge.source.to_string(),
            source_alias,
            on,
            clauses,
        })
    }

    /// The source rows for which the conditions hold, with a marker. `FROM (…) AS s`
    fn source_where(&self, conditions: &[String]) -> String {
        let filter = if conditions.is_empty() {
            String::new()
        } else {
            format!(" WHERE {}", conditions.join(" AND "))
        };
        format!(
            "(SELECT {0}.*, TRUE AS \"{MATCHED}\" FROM {1}{filter}) AS {0}",
            self.source_alias, self.source
        )
    }

    /// What a source row must satisfy to match any target row.
    fn matchable(&self) -> Vec<String> {
        let conditions = self.on.iter().filter_map(|part| match &part.side {
            Side::Source => Some(format!("({})", part.expr)),
            Side::Equal(key) => Some(format!("({key}) IS NOT NULL")),
            _ => None,
        });
        conditions.collect()
    }

    /// The ON clause for the rows of [`Parts::matchable`]. All keys are compared in one way, because a join on
    /// mixed `=` and null-safe keys hashes only the former: where one is null-safe, all are, which is the same
    /// since keys compared by `=` are not null on the source's side here.
    fn join_condition(&self) -> String {
        let null_safe = self
            .on
            .iter()
            .any(|part| matches!(part.side, Side::NullSafe(_)));
        let conditions = self
            .on
            .iter()
            .filter(|part| !matches!(part.side, Side::Source))
            .map(|part| match (&part.side, &part.expr) {
                (Side::Equal(_), Expr::BinaryOp { left, right, .. }) if null_safe => {
                    format!("({left} IS NOT DISTINCT FROM {right})")
                }
                (_, expr) => format!("({expr})"),
            });
        let conditions: Vec<_> = conditions.collect();
        if conditions.is_empty() {
            "TRUE".to_owned()
        } else {
            conditions.join(" AND ")
        }
    }

    fn source_keys(&self) -> Vec<&Expr> {
        let keys = self.on.iter().filter_map(|part| match &part.side {
            Side::Equal(key) | Side::NullSafe(key) => Some(key),
            _ => None,
        });
        keys.collect()
    }

    async fn check_types(
        &self,
        session: &Session,
        catalog: &LakeCatalog,
    ) -> Result<(), EngineError> {
        let both = format!(
            "\"{TARGET}\" AS {} CROSS JOIN {}",
            self.alias,
            self.source_where(&[])
        );
        for clause in &self.clauses {
            match clause {
                Clause::Update { set, .. } => {
                    check_assignments(session, &self.target, set, &both, catalog).await?
                }
                Clause::Delete { .. } => {}
                Clause::Insert {
                    columns, values, ..
                } => {
                    if columns.len() != values.len() {
                        let message = format!(
                            "INSERT of MERGE names {} columns and gives {} values",
                            columns.len(),
                            values.len()
                        );
                        return Err(refused("SYNTAX_ERROR", message));
                    }
                    let set: Vec<_> = columns
                        .iter()
                        .cloned()
                        .zip(values.iter().cloned())
                        .collect();
                    check_assignments(
                        session,
                        &self.target,
                        &set,
                        &self.source_where(&[]),
                        catalog,
                    )
                    .await?;
                }
            }
        }
        Ok(())
    }

    async fn check_single_matches(
        &self,
        session: &Session,
        catalog: &LakeCatalog,
    ) -> Result<(), EngineError> {
        let keys = self.source_keys();
        let has_rows = |batches: Vec<arrow::record_batch::RecordBatch>| {
            batches.iter().any(|batch| batch.num_rows() > 0)
        };
        let source = self.source_where(&self.matchable());
        if !keys.is_empty() {
            let list = keys
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join(", ");
            let sql = format!(
                "SELECT 1 AS \"x\" FROM {source} GROUP BY {list} HAVING count(*) > 1 LIMIT 1"
            );
            if !has_rows(session.collect(&sql, catalog.clone()).await?) {
                return Ok(());
            }
        }
        let on = self.join_condition();
        let sql = format!(
            "SELECT 1 AS \"x\" FROM (SELECT *, row_number() OVER () AS \"__row\" FROM \"{TARGET}\") AS {} JOIN {source} ON {on} \
             GROUP BY \"__row\" HAVING count(*) > 1 LIMIT 1",
            self.alias
        );
        if has_rows(session.collect(&sql, catalog.clone()).await?) {
            let message = "One MERGE target table row matched more than one source row; remove the duplicates from the source";
            return Err(refused("MERGE_TARGET_ROW_MULTIPLE_MATCHES", message));
        }
        Ok(())
    }

    /// The rows that exist, as they are afterwards.
    fn matched_pass(&self) -> String {
        let hit = |when: &Option<Expr>| match when {
            Some(when) => format!("{}.\"{MATCHED}\" AND ({when})", self.source_alias),
            None => format!("{}.\"{MATCHED}\"", self.source_alias),
        };
        let alias = &self.alias;
        let choose = |of_update: &dyn Fn(&[Set]) -> String, of_delete: &str, otherwise: &str| {
            let branches = self.clauses.iter().filter_map(|clause| match clause {
                Clause::Update { when, set } => {
                    Some(format!("WHEN {} THEN {}", hit(when), of_update(set)))
                }
                Clause::Delete { when } => Some(format!("WHEN {} THEN {of_delete}", hit(when))),
                Clause::Insert { .. } => None,
            });
            format!(
                "CASE {} ELSE {otherwise} END",
                branches.collect::<Vec<_>>().join(" ")
            )
        };
        let columns =
            self.target.columns().map(|column| {
                let old = format!("{alias}.{}", ident(column));
                let sets = |set: &[Set]| {
                    set.iter()
                        .find(|(name, _)| name == column)
                        .map(|(_, value)| value.to_string())
                };
                if !self.clauses.iter().any(
                    |clause| matches!(clause, Clause::Update { set, .. } if sets(set).is_some()),
                ) {
                    return format!("{old} AS {}", ident(column));
                }
                let new = choose(&|set| sets(set).unwrap_or_else(|| old.clone()), &old, &old);
                format!("{new} AS {}", ident(column))
            });
        let kind = choose(
            &|_| (RowKind::Updated as i32).to_string(),
            "0",
            &(RowKind::Kept as i32).to_string(),
        );
        let gone = choose(&|_| "FALSE".to_owned(), "TRUE", "FALSE");
        format!(
            "SELECT {}, CAST({kind} AS integer) AS \"{KIND_COLUMN}\" FROM \"{TARGET}\" AS {alias} LEFT JOIN {} ON {} WHERE NOT ({gone})",
            columns.collect::<Vec<_>>().join(", "),
            self.source_where(&self.matchable()),
            self.join_condition(),
        )
    }

    /// The source rows without a match, as new rows: those that cannot match, and those that do not.
    fn not_matched_passes(&self) -> Vec<String> {
        let inserts: Vec<_> = self
            .clauses
            .iter()
            .filter(|clause| matches!(clause, Clause::Insert { .. }))
            .collect();
        if inserts.is_empty() {
            return Vec::new();
        }
        let condition = |when: &Option<Expr>| {
            when.as_ref()
                .map_or_else(|| "TRUE".to_owned(), |when| format!("({when})"))
        };
        let choose = |value: &dyn Fn(&[String], &[Expr]) -> String, otherwise: &str| {
            let branches = inserts.iter().filter_map(|clause| match clause {
                Clause::Insert {
                    when,
                    columns,
                    values,
                } => Some(format!(
                    "WHEN {} THEN {}",
                    condition(when),
                    value(columns, values)
                )),
                _ => None,
            });
            format!(
                "CASE {} ELSE {otherwise} END",
                branches.collect::<Vec<_>>().join(" ")
            )
        };
        let columns = self.target.columns().map(|column| {
            let of = |columns: &[String], values: &[Expr]| {
                let index = columns.iter().position(|name| name == column);
                index
                    .and_then(|index| values.get(index))
                    .map_or_else(|| "NULL".to_owned(), ToString::to_string)
            };
            match inserts.as_slice() {
                [
                    Clause::Insert {
                        columns, values, ..
                    },
                ] => format!("{} AS {}", of(columns, values), ident(column)),
                _ => format!("{} AS {}", choose(&of, "NULL"), ident(column)),
            }
        });
        let select = format!(
            "SELECT {}, CAST({} AS integer) AS \"{KIND_COLUMN}\"",
            columns.collect::<Vec<_>>().join(", "),
            RowKind::Inserted as i32
        );
        let wanted = choose(&|_, _| "TRUE".to_owned(), "FALSE");
        let matchable = self.matchable();
        let mut passes = vec![format!(
            "{select} FROM {} LEFT ANTI JOIN \"{TARGET}\" AS {} ON {} WHERE {wanted}",
            self.source_where(&matchable),
            self.alias,
            self.join_condition()
        )];
        if !matchable.is_empty() {
            let cannot = format!("({}) IS NOT TRUE", matchable.join(" AND "));
            passes.push(format!(
                "{select} FROM {} WHERE {wanted}",
                self.source_where(&[cannot])
            ));
        }
        passes
    }

    /// What the table's history says.
    fn operation(&self) -> DeltaOperation {
        let on = self
            .on
            .iter()
            .map(|part| format!("({})", part.expr))
            .collect::<Vec<_>>()
            .join(" AND ");
        let predicate = |kind: &str, when: &Option<Expr>| MergePredicate {
            action_type: kind.to_owned(),
            predicate: when.as_ref().map(ToString::to_string),
        };
        let matched = self.clauses.iter().filter_map(|clause| match clause {
            Clause::Update { when, .. } => Some(predicate("update", when)),
            Clause::Delete { when } => Some(predicate("delete", when)),
            Clause::Insert { .. } => None,
        });
        let not_matched = self.clauses.iter().filter_map(|clause| match clause {
            Clause::Insert { when, .. } => Some(predicate("insert", when)),
            _ => None,
        });
        DeltaOperation::Merge {
            predicate: None,
            merge_predicate: Some(on),
            matched_predicates: matched.collect(),
            not_matched_predicates: not_matched.collect(),
            not_matched_by_source_predicates: Vec::new(),
        }
    }
}

impl Clause {
    fn new(
        clause: datafusion::sql::sqlparser::ast::MergeClause,
        target: &Target,
    ) -> Result<Self, EngineError> {
        let when = clause.predicate;
        match (clause.clause_kind, clause.action) {
            (MergeClauseKind::Matched, MergeAction::Update(update)) => {
                let set = update
                    .assignments
                    .into_iter()
                    .map(single_assignment)
                    .collect::<Result<Vec<_>, _>>()?;
                Ok(Self::Update { when, set })
            }
            (MergeClauseKind::Matched, MergeAction::Delete { .. }) => Ok(Self::Delete { when }),
            (MergeClauseKind::NotMatched, MergeAction::Insert(insert)) => {
                let columns: Vec<String> = match insert.columns.as_slice() {
                    [] => target.columns().map(str::to_owned).collect(),
                    named => named.iter().map(table_name).collect(),
                };
                for column in &columns {
                    if target.schema.field_with_name(column).is_err() {
                        return Err(refused(
                            "COLUMN_NOT_FOUND",
                            format!("Insert column name does not exist in target table: {column}"),
                        ));
                    }
                }
                let MergeInsertKind::Values(values) = insert.kind else {
                    return Err(refused("SYNTAX_ERROR", "INSERT of MERGE needs VALUES (…)"));
                };
                let mut rows = values.rows.into_iter();
                match (rows.next(), rows.next()) {
                    (Some(row), None) => Ok(Self::Insert {
                        when,
                        columns,
                        values: row.to_vec(),
                    }),
                    _ => Err(refused(
                        "SYNTAX_ERROR",
                        "INSERT of MERGE takes one row of VALUES",
                    )),
                }
            }
            (kind, _) => Err(refused(
                "SYNTAX_ERROR",
                format!(
                    "mismatched input: Trino's MERGE has no such clause as WHEN {kind} with this action"
                ),
            )),
        }
    }
}
