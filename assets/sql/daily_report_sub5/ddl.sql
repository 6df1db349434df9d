-- The daily report: clicks and conversions by the fifteen dimensions of the sub5 report.
-- Partitioned by event day, so that a window is replaced without touching other days.
CREATE TABLE IF NOT EXISTS daily_report_sub5 (
  datestamp date,
  affiliate_id bigint,
  affiliate_name string,
  affiliate_manager string,
  advertiser_name string,
  account_manager string,
  offer_title string,
  offer_status string,
  offer_privacy string,
  offer_id bigint,
  country string,
  sub5 string,
  sub6 string,
  os string,
  os_version string,
  click_count bigint,
  host_count bigint,
  earnings decimal(38,18),
  approved bigint,
  payouts decimal(38,18),
  approved_revenue decimal(38,18),
  declined_revenue decimal(38,18),
  conversions_count bigint,
  declined_conversions bigint,
  region string
)
PARTITIONED BY (datestamp)
LOCATION :location
TBLPROPERTIES ('table_type'='ICEBERG', 'format'='parquet', 'write_compression'='zstd')
