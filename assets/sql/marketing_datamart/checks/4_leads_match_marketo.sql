-- severity: error
-- reason: leads or activities are not those of Marketo in silver
-- unit: totals
-- threshold: <= 0
SELECT d.new_leads AS new_leads, l.leads AS leads_in_silver, d.activities AS activities, a.activities AS activities_in_silver
FROM (SELECT COALESCE(SUM(new_leads), 0) AS new_leads, COALESCE(SUM(activities), 0) AS activities FROM :table) d
CROSS JOIN (SELECT COUNT(DISTINCT lead_id) AS leads FROM marketo_leads WHERE created_at IS NOT NULL) l
CROSS JOIN (SELECT count(*) AS activities FROM marketo_activities) a
WHERE d.new_leads <> l.leads OR d.activities <> a.activities
