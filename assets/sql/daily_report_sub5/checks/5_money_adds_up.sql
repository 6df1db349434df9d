-- severity: warn
-- reason: what advertisers pay is not what affiliates get plus what stays
SELECT
  abs(income - payouts - earnings) AS value, CAST(0.005 AS decimal(38,18)) AS threshold,
  id, date, status, income, payouts, earnings
FROM affise_conversions
WHERE date BETWEEN :from AND :to AND abs(income - payouts - earnings) > CAST(0.005 AS decimal(38,18))
ORDER BY date, id
LIMIT 20
