//! Filters are pushed down a plan only where names tell columns apart.
//!
//! DataFusion looks for a pushed filter's columns by their names: where both sides of a join have a column of one name,
//! `a.day IS DISTINCT FROM b.day` above an outer join became `a.day IS DISTINCT FROM a.day` below it.

use std::sync::Arc;

use datafusion::{
    common::{
        Result,
        config::ConfigOptions,
        tree_node::{TreeNode, TreeNodeRecursion},
    },
    physical_optimizer::{PhysicalOptimizerRule, optimizer::PhysicalOptimizer},
    physical_plan::{ExecutionPlan, joins::HashJoinExec},
};

/// DataFusion's rules, with those that push filters held back.
pub(crate) fn rules() -> Vec<Arc<dyn PhysicalOptimizerRule + Send + Sync>> {
    let rules = PhysicalOptimizer::new().rules.into_iter();
    rules
        .map(|rule| match rule.name().starts_with("FilterPushdown") {
            true => Arc::new(WhereNamesTell(rule)) as Arc<dyn PhysicalOptimizerRule + Send + Sync>,
            false => rule,
        })
        .collect()
}

#[derive(Debug)]
struct WhereNamesTell(Arc<dyn PhysicalOptimizerRule + Send + Sync>);

impl PhysicalOptimizerRule for WhereNamesTell {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        config: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        if names_repeat(&plan)? {
            return Ok(plan);
        }
        self.0.optimize(plan, config)
    }

    fn name(&self) -> &str {
        self.0.name()
    }

    fn schema_check(&self) -> bool {
        self.0.schema_check()
    }
}

/// Whether a step of the plan has two columns of one name. A hash join knows by itself which side a column is of.
fn names_repeat(plan: &Arc<dyn ExecutionPlan>) -> Result<bool> {
    let mut found = false;
    plan.apply(|step| {
        let schema = step.schema();
        let mut names: Vec<&str> = schema
            .fields()
            .iter()
            .map(|field| field.name().as_str())
            .collect();
        names.sort_unstable();
        if step.downcast_ref::<HashJoinExec>().is_none()
            && names.windows(2).any(|pair| pair[0] == pair[1])
        {
            found = true;
            return Ok(TreeNodeRecursion::Stop);
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(found)
}
