//! One statement's rows, cell by cell as `lakehand query --output json` shows them.

use arrow::{
    array::RecordBatch,
    datatypes::DataType,
    util::display::{ArrayFormatter, FormatOptions},
};
use serde_json::Value;

/// The rows, or the error as it is told.
pub async fn answer(sql: &str) -> Result<Vec<Vec<Value>>, String> {
    let task = tokio::spawn({
        let sql = sql.to_owned();
        async move { lakehand_engine::answer(&sql).await }
    });
    let batches = match task.await {
        Ok(answer) => answer.map_err(|error| error.to_string())?,
        Err(panic) => return Err(format!("CRASH: {panic}")),
    };
    Ok(batches.iter().flat_map(rows).collect())
}

fn rows(batch: &RecordBatch) -> Vec<Vec<Value>> {
    let options = FormatOptions::default();
    let shown: Vec<_> = batch
        .columns()
        .iter()
        .map(|column| ArrayFormatter::try_new(column, &options).unwrap())
        .collect();
    let cell = |row: usize, index: usize| {
        let column = batch.column(index);
        let text = || shown[index].value(row).to_string();
        match column.data_type() {
            _ if column.is_null(row) => Value::Null,
            DataType::Null => Value::Null,
            DataType::Boolean => Value::Bool(text() == "true"),
            kind if kind.is_integer() || kind.is_floating() => {
                serde_json::from_str(&text()).unwrap_or_else(|_| text().into())
            }
            _ => text().into(),
        }
    };
    (0..batch.num_rows())
        .map(|row| {
            (0..batch.num_columns())
                .map(|index| cell(row, index))
                .collect()
        })
        .collect()
}
