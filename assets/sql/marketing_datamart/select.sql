-- Sessions of Google Analytics and leads and activities of Marketo: one row for each day, business unit, source, medium and campaign.
--
-- Each side is added up by the key, then both meet by UNION ALL and one GROUP BY, in which nulls are equal on every
-- engine. Leads are one row each before activities are joined to them, so nothing is multiplied. Activities of a lead that
-- was merged into another one count for that one.
WITH visits AS (
  SELECT
    date AS datestamp, business_unit, :ga_source AS source, :ga_medium AS medium,
    CASE
      WHEN :ga_campaign IN ('(not set)', '(direct)', '(organic)', '(referral)', '(none)', '(data not available)', '') THEN CAST(NULL AS varchar)
      ELSE :ga_campaign
    END AS campaign,
    CAST(:ga_sessions AS bigint) AS sessions,
    CAST(:ga_users AS bigint) AS users,
    CAST(:ga_conversions AS decimal(18,6)) AS conversions
  FROM :ga_table
),
leads AS (
  SELECT
    lead_id,
    CAST(created_at AT TIME ZONE :zone AS date) AS datestamp,
    NULLIF(utm_source, '') AS source,
    NULLIF(utm_medium, '') AS medium,
    NULLIF(utm_campaign, '') AS campaign,
    ROW_NUMBER() OVER (PARTITION BY lead_id ORDER BY _collected_at DESC, _source DESC) AS age
  FROM marketo_leads
),
facts AS (
  SELECT
    datestamp, business_unit, source, medium, campaign,
    SUM(sessions) AS sessions, SUM(users) AS users, SUM(conversions) AS conversions,
    CAST(0 AS bigint) AS new_leads, CAST(0 AS bigint) AS activities, CAST(0 AS bigint) AS email_opens,
    CAST(0 AS bigint) AS email_clicks, CAST(0 AS bigint) AS form_fills, CAST(0 AS bigint) AS web_visits
  FROM visits
  GROUP BY datestamp, business_unit, source, medium, campaign
  UNION ALL
  SELECT
    datestamp, NULLIF(:business_unit, ''), source, medium, campaign,
    CAST(0 AS bigint), CAST(0 AS bigint), CAST(0 AS decimal(38,6)),
    count(*), CAST(0 AS bigint), CAST(0 AS bigint), CAST(0 AS bigint), CAST(0 AS bigint), CAST(0 AS bigint)
  FROM leads
  WHERE age = 1 AND datestamp IS NOT NULL
  GROUP BY datestamp, source, medium, campaign
  UNION ALL
  SELECT
    a.date, NULLIF(:business_unit, ''), l.source, l.medium, l.campaign,
    CAST(0 AS bigint), CAST(0 AS bigint), CAST(0 AS decimal(38,6)),
    CAST(0 AS bigint), count(*),
    SUM(CAST(CASE WHEN a.activity_type_id = 10 THEN 1 ELSE 0 END AS bigint)),
    SUM(CAST(CASE WHEN a.activity_type_id = 11 THEN 1 ELSE 0 END AS bigint)),
    SUM(CAST(CASE WHEN a.activity_type_id = 2 THEN 1 ELSE 0 END AS bigint)),
    SUM(CAST(CASE WHEN a.activity_type_id = 1 THEN 1 ELSE 0 END AS bigint))
  FROM marketo_activities a
  LEFT JOIN marketo_gone_leads g ON g.lead_id = a.lead_id
  LEFT JOIN leads l ON l.lead_id = COALESCE(g.merged_into, a.lead_id) AND l.age = 1
  GROUP BY a.date, l.source, l.medium, l.campaign
)
SELECT
  datestamp, business_unit, source, medium, campaign,
  SUM(sessions) AS sessions,
  SUM(users) AS users,
  CAST(SUM(conversions) AS decimal(38,6)) AS conversions,
  SUM(new_leads) AS new_leads,
  SUM(activities) AS activities,
  SUM(email_opens) AS email_opens,
  SUM(email_clicks) AS email_clicks,
  SUM(form_fills) AS form_fills,
  SUM(web_visits) AS web_visits
FROM facts
GROUP BY datestamp, business_unit, source, medium, campaign
