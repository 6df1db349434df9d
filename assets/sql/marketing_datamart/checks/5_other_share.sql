-- severity: warn
-- reason: Google folded sessions of a day into (other): its sources and campaigns are not known
-- unit: share of the sessions of a day
-- threshold: <= 0.01
SELECT CAST(o.other AS double) / o.sessions AS value, o.datestamp AS datestamp, o.business_unit AS business_unit, o.other AS other, o.sessions AS sessions
FROM (
  SELECT
    datestamp, business_unit, SUM(sessions) AS sessions,
    SUM(CASE WHEN source = '(other)' OR campaign = '(other)' THEN sessions ELSE 0 END) AS other
  FROM :table
  WHERE datestamp BETWEEN :from AND :to
  GROUP BY datestamp, business_unit
) o
WHERE o.sessions > 0
ORDER BY 1 DESC, 2, 3
LIMIT 20
