-- Puts the checked table in place in one commit: readers see the old rows or the new ones.
--
-- Every row that exists is deleted by the tombstone of its day, every staged row is inserted. Staged rows have no day
-- to replace and match nothing, so no key is compared and nulls in keys cannot split or double a row.
MERGE INTO marketing_datamart AS t
USING (
  SELECT
    CAST(NULL AS date) AS replaced_day,
    datestamp, business_unit, source, medium, campaign, sessions, users, conversions, new_leads, activities, email_opens,
    email_clicks, form_fills, web_visits
  FROM :staging
  UNION ALL
  SELECT DISTINCT
    datestamp,
    CAST(NULL AS date), CAST(NULL AS varchar), CAST(NULL AS varchar), CAST(NULL AS varchar), CAST(NULL AS varchar),
    CAST(NULL AS bigint), CAST(NULL AS bigint), CAST(NULL AS decimal(38,6)), CAST(NULL AS bigint), CAST(NULL AS bigint),
    CAST(NULL AS bigint), CAST(NULL AS bigint), CAST(NULL AS bigint), CAST(NULL AS bigint)
  FROM marketing_datamart
) AS s
ON t.datestamp = s.replaced_day
WHEN MATCHED THEN DELETE
WHEN NOT MATCHED AND s.replaced_day IS NULL THEN INSERT (
  datestamp, business_unit, source, medium, campaign, sessions, users, conversions, new_leads, activities, email_opens,
  email_clicks, form_fills, web_visits
) VALUES (
  s.datestamp, s.business_unit, s.source, s.medium, s.campaign, s.sessions, s.users, s.conversions, s.new_leads, s.activities,
  s.email_opens, s.email_clicks, s.form_fills, s.web_visits
)
