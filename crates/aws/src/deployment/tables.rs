//! The tables of silver as resources of the `glue` stack, made from the contract, so that the catalog, the files and
//! the SQL cannot differ.
//!
//! Days are found by partition projection: SQL reads a day the moment its file lands. A report of Google Analytics
//! begins with the columns that are known before its first collection; `normalise` adds those that Google types.
//!
//! A crawler that would set an attribute of a table otherwise marks it as deprecated and merges nothing, so all that it
//! sets are here: `compressionType` and `typeOfData`, too.

use std::fmt::Write;

use arrow::datatypes::Schema;

use lakehand_config::Profile;
use lakehand_host::catalog_types::catalog_type;
use lakehand_pipeline::{
    dataset::SilverTable,
    normalise::contract::{self, report::StoredContract},
};

/// How the logical ids of Google Analytics' reports begin.
pub const GA_REPORT: &str = "GaReport";

/// Logical id of a table's resource: letters and digits only.
#[must_use]
pub fn logical_id(table: SilverTable) -> String {
    let report = |report: &str| report.replace('_', "Z");
    match table {
        SilverTable::Ga4(name) => format!("{GA_REPORT}{}", report(name.as_str())),
        SilverTable::Ga3(name) => format!("Ga3Report{}", report(name.as_str())),
        fixed => fixed
            .sql_name()
            .split('_')
            .map(|word| {
                let (first, rest) = word.split_at(1.min(word.len()));
                format!("{}{rest}", first.to_uppercase())
            })
            .collect(),
    }
}

/// The resource of a table with these columns in its files.
#[must_use]
pub fn resource(table: SilverTable, schema: &Schema) -> String {
    let (name, prefix) = (table.sql_name(), table.prefix());
    let location = format!("s3://${{StdBucketName}}/${{KeyPrefix}}{prefix}/");
    let mut text = format!(
        r#"  {}:
    Type: AWS::Glue::Table
    Properties:
      CatalogId: !Ref AWS::AccountId
      DatabaseName: !Ref Database
      TableInput:
        Name: {name}
        TableType: EXTERNAL_TABLE
        Parameters:
          classification: parquet
          EXTERNAL: "TRUE"
          compressionType: none
          typeOfData: file
"#,
        logical_id(table)
    );
    if table.by_event_day() {
        text.push_str(&format!(
            r#"          projection.enabled: "true"
          projection.date.type: date
          projection.date.format: yyyy-MM-dd
          projection.date.range: !Sub "${{FirstDay}},NOW+1DAYS"
          storage.location.template: !Sub "{location}date=${{!date}}/"
        PartitionKeys:
          - {{Name: date, Type: date}}
"#
        ));
    }
    text.push_str(&format!(
        r#"        StorageDescriptor:
          Location: !Sub "{location}"
          InputFormat: org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat
          OutputFormat: org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat
          SerdeInfo:
            SerializationLibrary: org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe
          Columns:
"#
    ));
    for field in schema.fields() {
        let data_type = catalog_type(field.data_type());
        // A comma would end the entry.
        let quote = if data_type.contains(',') { "'" } else { "" };
        let name = field.name();
        let _ = writeln!(
            text,
            "            - {{Name: {name}, Type: {quote}{data_type}{quote}}}"
        );
    }
    text
}

/// The resources of the tables that every lake has.
#[must_use]
pub fn fixed() -> String {
    let resources = SilverTable::ALL.map(|table| resource(table, &contract::schema(table)));
    resources.join("\n")
}

/// The tables of a profile's reports.
#[must_use]
pub fn reports(profile: &Profile) -> Vec<SilverTable> {
    let is_report =
        |table: &SilverTable| matches!(table, SilverTable::Ga4(_) | SilverTable::Ga3(_));
    profile
        .silver_tables()
        .into_iter()
        .filter(is_report)
        .collect()
}

/// The columns of a report that are known before Google was asked: whose row it is, its day and its dimensions.
#[must_use]
pub fn report_schema(profile: &Profile, table: SilverTable) -> Schema {
    let dimensions: Vec<String> = match table {
        SilverTable::Ga4(name) => profile
            .ga4
            .iter()
            .flat_map(|ga4| &ga4.reports)
            .filter(|report| report.name == name)
            .flat_map(|report| report.dimensions.clone())
            .collect(),
        SilverTable::Ga3(name) => profile
            .ga3
            .iter()
            .flat_map(|ga3| &ga3.reports)
            .filter(|report| report.name == name)
            .flat_map(|report| report.dimensions.clone())
            .collect(),
        _ => Vec::new(),
    };
    let mut contract = StoredContract::new(table);
    contract.take(&contract::report::ReportFields {
        dimensions,
        metrics: Vec::new(),
    });
    contract.contract(table).schema().as_ref().clone()
}
