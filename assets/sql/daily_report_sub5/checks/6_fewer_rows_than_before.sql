-- severity: warn
-- reason: the build has less than half the rows that the window has now
-- unit: share of the rows before
-- threshold: >= 0.5
SELECT CAST(n.rows_now AS double) / NULLIF(o.rows_before, 0) AS value, n.rows_now AS rows_now, o.rows_before AS rows_before
FROM (SELECT count(*) AS rows_now FROM :staging WHERE datestamp BETWEEN :from AND :to) n
CROSS JOIN (SELECT count(*) AS rows_before FROM daily_report_sub5 WHERE datestamp BETWEEN :from AND :to) o
