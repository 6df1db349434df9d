-- severity: warn
-- reason: too many conversions lack what the report groups or sums by
-- unit: share of the conversions
-- threshold: <= 0.05
SELECT CAST(n.nulls AS double) / NULLIF(n.row_count, 0) AS value, n.column_name AS column_name, n.nulls AS nulls, n.row_count AS row_count
FROM (
  SELECT 'affiliate' AS column_name, count(*) - count(COALESCE(partner_id, partner__id)) AS nulls, count(*) AS row_count
  FROM :table WHERE date BETWEEN :from AND :to
  UNION ALL
  SELECT 'offer', count(*) - count(COALESCE(offer__id, offer_id)), count(*) FROM :table WHERE date BETWEEN :from AND :to
  UNION ALL
  SELECT 'income', count(*) - count(income), count(*) FROM :table WHERE date BETWEEN :from AND :to
  UNION ALL
  SELECT 'payouts', count(*) - count(payouts), count(*) FROM :table WHERE date BETWEEN :from AND :to
  UNION ALL
  SELECT 'status', count(*) - count(status), count(*) FROM :table WHERE date BETWEEN :from AND :to
) n
ORDER BY 1 DESC, 2
