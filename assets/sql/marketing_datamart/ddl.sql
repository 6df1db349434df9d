-- The marketing datamart; README.md says what its columns are.
CREATE TABLE IF NOT EXISTS marketing_datamart (
  datestamp date,
  business_unit string,
  source string,
  medium string,
  campaign string,
  sessions bigint,
  users bigint,
  conversions decimal(38,6),
  new_leads bigint,
  activities bigint,
  email_opens bigint,
  email_clicks bigint,
  form_fills bigint,
  web_visits bigint
)
PARTITIONED BY (month(datestamp))
LOCATION :location
TBLPROPERTIES ('table_type'='ICEBERG', 'format'='parquet', 'write_compression'='zstd')
