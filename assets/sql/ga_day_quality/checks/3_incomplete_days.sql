-- severity: warn
-- reason: Google withheld small rows of a day or counted only a sample of it
-- unit: days of reports
-- threshold: <= 0
SELECT
  report AS report, property AS property, CAST(report_date AS date) AS report_date,
  subject_to_thresholding AS subject_to_thresholding, samples_read AS samples_read, sampling_space AS sampling_space
FROM :table
WHERE CAST(report_date AS date) BETWEEN :from AND :to AND (subject_to_thresholding OR samples_read < sampling_space)
ORDER BY report, property, report_date
