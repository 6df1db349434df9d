-- severity: error
-- reason: the build is empty although the window has facts
-- unit: rows
-- threshold: >= measured
SELECT s.row_count AS value, CASE WHEN f.facts > 0 THEN 1 ELSE 0 END AS threshold, f.facts AS facts
FROM (SELECT count(*) AS row_count FROM :staging) s
CROSS JOIN (
  SELECT count(*) AS facts FROM (
    SELECT id FROM affise_clicks WHERE date BETWEEN :from AND :to
    UNION ALL
    SELECT id FROM affise_conversions WHERE date BETWEEN :from AND :to
  ) u
) f
