-- Second half of gold.replace = "delete_insert".
INSERT INTO daily_report_sub5 (
  datestamp, affiliate_id, affiliate_name, affiliate_manager, advertiser_name, account_manager, offer_title, offer_status,
  offer_privacy, offer_id, country, sub5, sub6, os, os_version, click_count, host_count, earnings, approved, payouts,
  approved_revenue, declined_revenue, conversions_count, declined_conversions, region
)
SELECT
  datestamp, affiliate_id, affiliate_name, affiliate_manager, advertiser_name, account_manager, offer_title, offer_status,
  offer_privacy, offer_id, country, sub5, sub6, os, os_version, click_count, host_count, earnings, approved, payouts,
  approved_revenue, declined_revenue, conversions_count, declined_conversions, region
FROM :staging
