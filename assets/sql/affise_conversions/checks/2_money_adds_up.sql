-- severity: warn
-- reason: what advertisers pay is not what affiliates get plus what stays
-- unit: conversions
-- threshold: <= 0
SELECT id, date, status, income, payouts, earnings, income - payouts - earnings AS difference
FROM :table
WHERE date BETWEEN :from AND :to AND abs(income - payouts - earnings) > CAST(0.005 AS decimal(38,18))
ORDER BY date, id
