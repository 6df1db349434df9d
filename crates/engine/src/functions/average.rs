//! `avg` of decimals keeps their digits, rounded half up; DataFusion gives four more and cuts off.

use std::sync::Arc;

use arrow::{
    array::ArrayRef,
    datatypes::{DataType, Field, FieldRef},
};
use datafusion::{
    common::{Result, ScalarValue},
    functions_aggregate::average::avg_udaf,
    logical_expr::{
        Accumulator, AggregateUDF, AggregateUDFImpl, GroupsAccumulator, Signature,
        function::{AccumulatorArgs, StateFieldsArgs},
    },
};

/// Trino's `avg`.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Average {
    plain: Arc<AggregateUDF>,
}

/// The function, to be registered over DataFusion's.
pub(super) fn function() -> AggregateUDF {
    AggregateUDF::new_from_impl(Average { plain: avg_udaf() })
}

impl Average {
    /// The type that DataFusion's average has.
    fn wide(&self, of: &FieldRef) -> Result<FieldRef> {
        Ok(match of.data_type() {
            decimal @ DataType::Decimal128(..) => {
                let wide = self.plain.return_type(std::slice::from_ref(decimal))?;
                Arc::new(Field::new(of.name(), wide, true))
            }
            _ => Arc::clone(of),
        })
    }
}

impl AggregateUDFImpl for Average {
    fn name(&self) -> &str {
        "avg"
    }

    fn signature(&self) -> &Signature {
        self.plain.signature()
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        self.plain.coerce_types(types)
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        match types {
            [decimal @ DataType::Decimal128(..)] => Ok(decimal.clone()),
            other => self.plain.return_type(other),
        }
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let return_field = self.wide(&args.return_field)?;
        self.plain.state_fields(StateFieldsArgs {
            return_field,
            ..args
        })
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        let to = args.return_field.data_type().clone();
        let return_field = self.wide(&args.return_field)?;
        let plain = self.plain.accumulator(AccumulatorArgs {
            return_field,
            ..args
        })?;
        Ok(rounded(plain, to))
    }

    fn create_sliding_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        let to = args.return_field.data_type().clone();
        let return_field = self.wide(&args.return_field)?;
        let plain = self.plain.create_sliding_accumulator(AccumulatorArgs {
            return_field,
            ..args
        })?;
        Ok(rounded(plain, to))
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs) -> bool {
        !matches!(args.return_field.data_type(), DataType::Decimal128(..))
            && self.plain.groups_accumulator_supported(args)
    }

    fn create_groups_accumulator(
        &self,
        args: AccumulatorArgs,
    ) -> Result<Box<dyn GroupsAccumulator>> {
        self.plain.create_groups_accumulator(args)
    }
}

fn rounded(plain: Box<dyn Accumulator>, to: DataType) -> Box<dyn Accumulator> {
    match to {
        DataType::Decimal128(..) => Box::new(Rounded { plain, to }),
        _ => plain,
    }
}

/// An average with more digits than wanted.
#[derive(Debug)]
struct Rounded {
    plain: Box<dyn Accumulator>,
    to: DataType,
}

impl Accumulator for Rounded {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.plain.update_batch(values)
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        self.plain.evaluate()?.cast_to(&self.to)
    }

    fn size(&self) -> usize {
        self.plain.size()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        self.plain.state()
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.plain.merge_batch(states)
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.plain.retract_batch(values)
    }

    fn supports_retract_batch(&self) -> bool {
        self.plain.supports_retract_batch()
    }
}
