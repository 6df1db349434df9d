//! `sum` of whole numbers ends with an error where the total is no bigint; DataFusion's goes on from the smallest one.

use std::sync::Arc;

use arrow::{
    array::{ArrayRef, BooleanArray},
    compute::cast,
    datatypes::{DataType, Field, FieldRef},
    error::ArrowError,
};
use datafusion::{
    common::{DataFusionError, Result, ScalarValue},
    functions_aggregate::sum::sum_udaf,
    logical_expr::{
        Accumulator, AggregateUDF, AggregateUDFImpl, EmitTo, GroupsAccumulator, Signature,
        function::{AccumulatorArgs, StateFieldsArgs},
    },
};

/// Wide enough for every total of bigints.
const WIDE: DataType = DataType::Decimal128(38, 0);

/// Trino's `sum`.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Sum {
    plain: Arc<AggregateUDF>,
}

/// The function, to be registered over DataFusion's.
pub(super) fn function() -> AggregateUDF {
    AggregateUDF::new_from_impl(Sum { plain: sum_udaf() })
}

fn is_whole(of: &FieldRef) -> bool {
    of.data_type() == &DataType::Int64
}

/// The field of a total while it is counted.
fn wide(of: &FieldRef) -> FieldRef {
    match is_whole(of) {
        true => Arc::new(Field::new(of.name(), WIDE, true)),
        false => Arc::clone(of),
    }
}

fn overflow() -> DataFusionError {
    ArrowError::ArithmeticOverflow("bigint addition overflow".to_owned()).into()
}

impl AggregateUDFImpl for Sum {
    fn name(&self) -> &str {
        "sum"
    }

    fn signature(&self) -> &Signature {
        self.plain.signature()
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        self.plain.coerce_types(types)
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        match types {
            [DataType::Decimal128(_, scale)] => Ok(DataType::Decimal128(38, *scale)),
            other => self.plain.return_type(other),
        }
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let return_field = wide(&args.return_field);
        self.plain.state_fields(StateFieldsArgs {
            return_field,
            ..args
        })
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        let whole = is_whole(&args.return_field);
        let return_field = wide(&args.return_field);
        let plain = self.plain.accumulator(AccumulatorArgs {
            return_field,
            ..args
        })?;
        Ok(checked(plain, whole))
    }

    fn create_sliding_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        let whole = is_whole(&args.return_field);
        let return_field = wide(&args.return_field);
        let plain = self.plain.create_sliding_accumulator(AccumulatorArgs {
            return_field,
            ..args
        })?;
        Ok(checked(plain, whole))
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs) -> bool {
        self.plain.groups_accumulator_supported(args)
    }

    fn create_groups_accumulator(
        &self,
        args: AccumulatorArgs,
    ) -> Result<Box<dyn GroupsAccumulator>> {
        let whole = is_whole(&args.return_field);
        let return_field = wide(&args.return_field);
        let plain = self.plain.create_groups_accumulator(AccumulatorArgs {
            return_field,
            ..args
        })?;
        Ok(match whole {
            true => Box::new(CheckedGroups(plain)),
            false => plain,
        })
    }
}

fn checked(plain: Box<dyn Accumulator>, whole: bool) -> Box<dyn Accumulator> {
    match whole {
        true => Box::new(Checked(plain)),
        false => plain,
    }
}

fn widened(values: &[ArrayRef]) -> Result<Vec<ArrayRef>> {
    let each = values.iter().map(|values| Ok(cast(values, &WIDE)?));
    each.collect()
}

/// A total that is counted wide and given as a bigint.
#[derive(Debug)]
struct Checked(Box<dyn Accumulator>);

impl Accumulator for Checked {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.0.update_batch(&widened(values)?)
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        match self.0.evaluate()? {
            ScalarValue::Decimal128(Some(total), _, _) => {
                let total = i64::try_from(total).map_err(|_| overflow())?;
                Ok(ScalarValue::Int64(Some(total)))
            }
            _ => Ok(ScalarValue::Int64(None)),
        }
    }

    fn size(&self) -> usize {
        self.0.size()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        self.0.state()
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.0.merge_batch(states)
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.0.retract_batch(&widened(values)?)
    }

    fn supports_retract_batch(&self) -> bool {
        self.0.supports_retract_batch()
    }
}

/// The same for many groups at once.
struct CheckedGroups(Box<dyn GroupsAccumulator>);

impl GroupsAccumulator for CheckedGroups {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        total: usize,
    ) -> Result<()> {
        let values = widened(values)?;
        self.0.update_batch(&values, groups, filter, total)
    }

    fn evaluate(&mut self, emit: EmitTo) -> Result<ArrayRef> {
        let totals = self.0.evaluate(emit)?;
        let whole = cast(&totals, &DataType::Int64)?;
        // What is no bigint became null.
        match whole.null_count() == totals.null_count() {
            true => Ok(whole),
            false => Err(overflow()),
        }
    }

    fn state(&mut self, emit: EmitTo) -> Result<Vec<ArrayRef>> {
        self.0.state(emit)
    }

    fn merge_batch(&mut self, values: &[ArrayRef], groups: &[usize], total: usize) -> Result<()> {
        self.0.merge_batch(values, groups, total)
    }

    fn convert_to_state(
        &self,
        values: &[ArrayRef],
        filter: Option<&BooleanArray>,
    ) -> Result<Vec<ArrayRef>> {
        self.0.convert_to_state(&widened(values)?, filter)
    }

    fn size(&self) -> usize {
        self.0.size()
    }
}
