-- severity: error
-- reason: the build is empty although the window has facts
SELECT s.value AS value, CAST(1 AS bigint) AS threshold, f.facts AS facts
FROM (SELECT count(*) AS value FROM :staging) s
CROSS JOIN (
  SELECT count(*) AS facts FROM (
    SELECT id FROM affise_clicks WHERE date BETWEEN :from AND :to
    UNION ALL
    SELECT id FROM affise_conversions WHERE date BETWEEN :from AND :to
  ) u
) f
WHERE s.value = 0 AND f.facts > 0
