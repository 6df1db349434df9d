//! Trino's grammar where the SQL parser's own dialects read a statement differently.

use std::any::TypeId;

use datafusion::sql::sqlparser::{
    ast::Expr,
    dialect::{Dialect, GenericDialect, Precedence},
    keywords::Keyword,
    parser::{Parser, ParserError},
};

/// Athena's engine version 3 (Trino): double quotes for identifiers, no back slash escapes.
#[derive(Debug, Clone, Copy, Default)]
pub struct TrinoDialect;

impl Dialect for TrinoDialect {
    fn dialect(&self) -> TypeId {
        // Branches of the parser that ask for "the generic dialect or X" are open to Trino too.
        TypeId::of::<GenericDialect>()
    }

    fn is_delimited_identifier_start(&self, ch: char) -> bool {
        // The back tick is Hive's, for the DDL of Iceberg tables.
        ch == '"' || ch == '`'
    }

    fn is_identifier_start(&self, ch: char) -> bool {
        ch.is_alphabetic() || ch == '_'
    }

    fn is_identifier_part(&self, ch: char) -> bool {
        ch.is_alphanumeric() || ch == '_' || ch == '$' || ch == '@'
    }

    fn supports_unicode_string_literal(&self) -> bool {
        true
    }

    /// A row type is written in angles once [`crate::tokens`] has seen it.
    fn supports_struct_literal(&self) -> bool {
        true
    }

    /// `t.* AS (a, b)`, as [`crate::stars`] writes it.
    fn supports_select_wildcard_with_alias(&self) -> bool {
        true
    }

    /// `(r).*`
    fn supports_select_expr_star(&self) -> bool {
        true
    }

    fn supports_lambda_functions(&self) -> bool {
        true
    }

    /// `trim(text, characters)`.
    fn supports_comma_separated_trim(&self) -> bool {
        true
    }

    /// `EXTRACT(day_of_week FROM …)`.
    fn allow_extract_custom(&self) -> bool {
        true
    }

    fn supports_group_by_expr(&self) -> bool {
        true
    }

    fn supports_filter_during_aggregation(&self) -> bool {
        true
    }

    fn supports_window_function_null_treatment_arg(&self) -> bool {
        true
    }

    fn supports_window_clause_named_window_reference(&self) -> bool {
        true
    }

    fn supports_parens_around_table_factor(&self) -> bool {
        true
    }

    fn supports_subquery_as_function_arg(&self) -> bool {
        true
    }

    /// `a IS [NOT] DISTINCT FROM b AND c` is `(a IS [NOT] DISTINCT FROM b) AND c`; the parser's own
    /// rule takes `b AND c` as the right side (reference, pipeline anchors 12).
    fn parse_infix(
        &self,
        parser: &mut Parser,
        expr: &Expr,
        precedence: u8,
    ) -> Option<Result<Expr, ParserError>> {
        if !parser.parse_keyword(Keyword::IS) {
            return None;
        }
        let negated = parser.parse_keywords(&[Keyword::NOT, Keyword::DISTINCT, Keyword::FROM]);
        if !negated && !parser.parse_keywords(&[Keyword::DISTINCT, Keyword::FROM]) {
            parser.prev_token();
            return None;
        }
        let left = Box::new(expr.clone());
        Some(parser.parse_subexpr(precedence).map(|right| match negated {
            true => Expr::IsNotDistinctFrom(left, Box::new(right)),
            false => Expr::IsDistinctFrom(left, Box::new(right)),
        }))
    }

    fn prec_value(&self, prec: Precedence) -> u8 {
        GenericDialect.prec_value(prec)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(sql: &str) -> Expr {
        Parser::new(&TrinoDialect)
            .try_with_sql(sql)
            .unwrap()
            .parse_expr()
            .unwrap()
    }

    #[test]
    fn a_null_safe_comparison_ends_before_and() {
        let expected =
            parse("((a IS NOT DISTINCT FROM b) AND (c = d)) AND (e IS DISTINCT FROM f + 1)")
                .to_string();
        let given =
            parse("a IS NOT DISTINCT FROM b AND c = d AND e IS DISTINCT FROM f + 1").to_string();
        assert_eq!(given, expected.replace(['(', ')'], ""));
        let Expr::BinaryOp { op, .. } = parse("a IS NOT DISTINCT FROM b AND c = d") else {
            panic!("not an AND")
        };
        assert_eq!(op.to_string(), "AND");
    }

    #[test]
    fn other_forms_of_is_still_parse() {
        for text in [
            "a IS NULL AND b IS NOT NULL",
            "a IS NOT TRUE OR b IS UNKNOWN",
        ] {
            assert_eq!(parse(text).to_string(), text);
        }
    }
}
