-- severity: warn
-- reason: the build has less than half the rows that the window has now
SELECT n.rows_now AS value, o.rows_before AS threshold
FROM (SELECT count(*) AS rows_now FROM :staging) n
CROSS JOIN (SELECT count(*) AS rows_before FROM daily_report_sub5 WHERE datestamp BETWEEN :from AND :to) o
WHERE n.rows_now * 2 < o.rows_before
