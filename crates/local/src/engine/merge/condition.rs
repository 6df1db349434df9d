//! The ON clause of a MERGE, taken apart by which side each part needs.

use std::{collections::BTreeSet, ops::ControlFlow};

use datafusion::sql::sqlparser::ast::{BinaryOperator, Expr, Ident, Visit, Visitor};

/// One AND-ed part of the ON clause.
pub(super) struct Condition {
    pub(super) expr: Expr,
    pub(super) side: Side,
}

pub(super) enum Side {
    /// Needs the target alone.
    Target,
    /// Needs the source alone.
    Source,
    /// `target = source`: the source's half, which matches nothing when it is null.
    Equal(Expr),
    /// `target IS NOT DISTINCT FROM source`: the source's half.
    NullSafe(Expr),
    /// Anything else.
    Both,
}

/// What an identifier in the ON clause may mean.
pub(super) struct Names<'a> {
    pub(super) target: &'a Ident,
    pub(super) source: &'a Ident,
    pub(super) columns: BTreeSet<String>,
}

impl Names<'_> {
    /// Which sides an expression needs: (target, source). `None` when it cannot be told.
    fn sides(&self, expr: &Expr) -> Option<(bool, bool)> {
        struct Sides<'a> {
            names: &'a Names<'a>,
            target: bool,
            source: bool,
        }
        impl Visitor for Sides<'_> {
            type Break = ();
            fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
                match expr {
                    Expr::CompoundIdentifier(parts) => match parts.as_slice() {
                        [.., table, _] if same(table, self.names.target) => self.target = true,
                        [.., table, _] if same(table, self.names.source) => self.source = true,
                        _ => return ControlFlow::Break(()),
                    },
                    // Unqualified: the target's if it has such a column; if the source has it too, planning fails as ambiguous.
                    Expr::Identifier(name)
                        if self.names.columns.contains(&name.value.to_lowercase()) =>
                    {
                        self.target = true
                    }
                    Expr::Identifier(_) => self.source = true,
                    Expr::Subquery(_) | Expr::InSubquery { .. } | Expr::Exists { .. } => {
                        return ControlFlow::Break(());
                    }
                    _ => {}
                }
                ControlFlow::Continue(())
            }
        }
        let mut sides = Sides {
            names: self,
            target: false,
            source: false,
        };
        match Visit::visit(expr, &mut sides) {
            ControlFlow::Continue(()) => Some((sides.target, sides.source)),
            ControlFlow::Break(()) => None,
        }
    }
}

fn same(left: &Ident, right: &Ident) -> bool {
    left.value.eq_ignore_ascii_case(&right.value)
}

/// Takes an ON clause apart at its ANDs.
pub(super) fn split(expr: Expr, names: &Names, parts: &mut Vec<Condition>) {
    match expr {
        Expr::BinaryOp {
            left,
            op: BinaryOperator::And,
            right,
        } => {
            split(*left, names, parts);
            split(*right, names, parts);
        }
        Expr::Nested(inner) => split(*inner, names, parts),
        expr => {
            let side = side(&expr, names);
            parts.push(Condition { expr, side });
        }
    }
}

fn side(expr: &Expr, names: &Names) -> Side {
    match names.sides(expr) {
        Some((true, false)) => return Side::Target,
        Some((false, true)) => return Side::Source,
        Some((false, false)) | None => return Side::Both,
        Some((true, true)) => {}
    }
    let (left, right, null_safe) = match expr {
        Expr::BinaryOp {
            left,
            op: BinaryOperator::Eq,
            right,
        } => (left, right, false),
        Expr::IsNotDistinctFrom(left, right) => (left, right, true),
        _ => return Side::Both,
    };
    let source = match (names.sides(left), names.sides(right)) {
        (Some((true, false)), Some((false, true))) => right,
        (Some((false, true)), Some((true, false))) => left,
        _ => return Side::Both,
    };
    let key = source.as_ref().clone();
    if null_safe {
        Side::NullSafe(key)
    } else {
        Side::Equal(key)
    }
}
