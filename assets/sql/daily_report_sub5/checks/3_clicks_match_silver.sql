-- severity: error
-- reason: the sum of clicks is not the number of clicks in silver
-- unit: days
-- threshold: <= 0
SELECT COALESCE(c.datestamp, g.datestamp) AS datestamp, g.clicks AS clicks, c.clicks AS clicks_in_silver
FROM (
  SELECT date AS datestamp, count(*) AS clicks FROM affise_clicks WHERE date BETWEEN :from AND :to GROUP BY date
) c
FULL JOIN (
  SELECT datestamp, SUM(click_count) AS clicks FROM :staging WHERE datestamp BETWEEN :from AND :to GROUP BY datestamp
) g ON g.datestamp = c.datestamp
WHERE COALESCE(g.clicks, 0) <> COALESCE(c.clicks, 0)
ORDER BY 1
