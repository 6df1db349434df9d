-- First half of gold.replace = "delete_insert"; between the halves readers see the window empty.
DELETE FROM daily_report_sub5 WHERE datestamp BETWEEN :from AND :to
