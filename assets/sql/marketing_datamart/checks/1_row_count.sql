-- severity: error
-- reason: the datamart is empty although its sources are not
-- unit: rows
-- threshold: >= measured
SELECT d.row_count AS value, CASE WHEN g.row_count + l.row_count > 0 THEN 1 ELSE 0 END AS threshold, g.row_count AS rows_of_ga, l.row_count AS leads
FROM (SELECT count(*) AS row_count FROM :table) d
CROSS JOIN (SELECT count(*) AS row_count FROM :ga_table) g
CROSS JOIN (SELECT count(*) AS row_count FROM marketo_leads) l
