-- Puts the checked window in place in one commit: readers see the old window or the new one.
--
-- Every row of the window that exists is deleted by the tombstone of its day, every staged row is inserted.
-- The days to delete come from the window of the plan, not from what the query returned, so a day without
-- facts becomes empty. Staged rows have no day to replace and match nothing, so no key is compared and
-- nulls in keys cannot split or double a row. A repeat gives the same rows.
MERGE INTO daily_report_sub5 AS t
USING (
  SELECT
    CAST(NULL AS date) AS replaced_day,
    datestamp, affiliate_id, affiliate_name, affiliate_manager, advertiser_name, account_manager, offer_title, offer_status,
    offer_privacy, offer_id, country, sub5, sub6, os, os_version, click_count, host_count, earnings, approved, payouts,
    approved_revenue, declined_revenue, conversions_count, declined_conversions, region
  FROM :staging
  UNION ALL
  SELECT DISTINCT
    datestamp,
    CAST(NULL AS date), CAST(NULL AS bigint), CAST(NULL AS varchar), CAST(NULL AS varchar), CAST(NULL AS varchar), CAST(NULL AS varchar),
    CAST(NULL AS varchar), CAST(NULL AS varchar), CAST(NULL AS varchar), CAST(NULL AS bigint), CAST(NULL AS varchar), CAST(NULL AS varchar),
    CAST(NULL AS varchar), CAST(NULL AS varchar), CAST(NULL AS varchar), CAST(NULL AS bigint), CAST(NULL AS bigint),
    CAST(NULL AS decimal(38,18)), CAST(NULL AS bigint), CAST(NULL AS decimal(38,18)), CAST(NULL AS decimal(38,18)),
    CAST(NULL AS decimal(38,18)), CAST(NULL AS bigint), CAST(NULL AS bigint), CAST(NULL AS varchar)
  FROM daily_report_sub5
  WHERE datestamp BETWEEN :from AND :to
) AS s
ON t.datestamp = s.replaced_day AND t.datestamp BETWEEN :from AND :to
WHEN MATCHED THEN DELETE
WHEN NOT MATCHED AND s.replaced_day IS NULL THEN INSERT (
  datestamp, affiliate_id, affiliate_name, affiliate_manager, advertiser_name, account_manager, offer_title, offer_status,
  offer_privacy, offer_id, country, sub5, sub6, os, os_version, click_count, host_count, earnings, approved, payouts,
  approved_revenue, declined_revenue, conversions_count, declined_conversions, region
) VALUES (
  s.datestamp, s.affiliate_id, s.affiliate_name, s.affiliate_manager, s.advertiser_name, s.account_manager, s.offer_title,
  s.offer_status, s.offer_privacy, s.offer_id, s.country, s.sub5, s.sub6, s.os, s.os_version, s.click_count, s.host_count,
  s.earnings, s.approved, s.payouts, s.approved_revenue, s.declined_revenue, s.conversions_count, s.declined_conversions, s.region
)
