-- The sub5 report: rows of the window with conversions, ordered by the whole key of the table (nulls last),
-- so that the same rows are always the same bytes.
SELECT
  datestamp, affiliate_id, affiliate_name, affiliate_manager, advertiser_name, account_manager, offer_title, offer_id,
  country, sub5, sub6, click_count, host_count, approved_revenue, conversions_count
FROM daily_report_sub5
WHERE datestamp BETWEEN :from AND :to AND conversions_count > 0
ORDER BY datestamp, affiliate_id, offer_id, country, sub5, sub6, os, os_version
