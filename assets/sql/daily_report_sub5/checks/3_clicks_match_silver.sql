-- severity: error
-- reason: the sum of clicks is not the number of clicks in silver
SELECT g.datestamp AS datestamp, g.clicks AS value, c.clicks AS threshold
FROM (
  SELECT date AS datestamp, count(*) AS clicks FROM affise_clicks WHERE date BETWEEN :from AND :to GROUP BY date
) c
FULL JOIN (
  SELECT datestamp, SUM(click_count) AS clicks FROM :staging GROUP BY datestamp
) g ON g.datestamp = c.datestamp
WHERE COALESCE(g.clicks, 0) <> COALESCE(c.clicks, 0)
ORDER BY g.datestamp
LIMIT 20
