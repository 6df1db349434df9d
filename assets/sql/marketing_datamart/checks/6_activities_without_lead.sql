-- severity: warn
-- reason: activities name a lead that is not in silver; they have no campaign
-- unit: share of the activities
-- threshold: <= 0.05
SELECT
  CAST(count(*) - count(l.lead_id) AS double) / NULLIF(count(*), 0) AS value,
  count(*) - count(l.lead_id) AS without_lead, count(*) AS activities
FROM marketo_activities a
LEFT JOIN marketo_gone_leads g ON g.lead_id = a.lead_id
LEFT JOIN (SELECT DISTINCT lead_id FROM marketo_leads) l ON l.lead_id = COALESCE(g.merged_into, a.lead_id)
WHERE a.date BETWEEN :from AND :to
