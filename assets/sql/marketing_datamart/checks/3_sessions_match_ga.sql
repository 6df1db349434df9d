-- severity: error
-- reason: sessions or conversions of a day are not those of Google Analytics in silver
-- unit: days and business units
-- threshold: <= 0
SELECT
  COALESCE(g.datestamp, d.datestamp) AS datestamp, COALESCE(g.business_unit, d.business_unit) AS business_unit,
  d.sessions AS sessions, g.sessions AS sessions_in_silver, d.conversions AS conversions, g.conversions AS conversions_in_silver
FROM (
  SELECT
    date AS datestamp, business_unit, SUM(CAST(:ga_sessions AS bigint)) AS sessions,
    SUM(CAST(:ga_conversions AS decimal(18,6))) AS conversions
  FROM :ga_table
  GROUP BY date, business_unit
) g
FULL JOIN (
  SELECT datestamp, business_unit, SUM(sessions) AS sessions, SUM(conversions) AS conversions FROM :table GROUP BY datestamp, business_unit
) d ON d.datestamp = g.datestamp AND d.business_unit = g.business_unit
WHERE COALESCE(d.sessions, 0) <> COALESCE(g.sessions, 0)
  OR COALESCE(d.conversions, CAST(0 AS decimal(38,6))) <> COALESCE(g.conversions, CAST(0 AS decimal(38,6)))
ORDER BY 1, 2
