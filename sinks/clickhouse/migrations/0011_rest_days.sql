-- Weekdays on which the plans of the day rest: they hold for days after it without a row.
ALTER TABLE daily ADD COLUMN IF NOT EXISTS rest_days Array(LowCardinality(String));
CREATE OR REPLACE VIEW daily_current AS
SELECT * FROM daily FINAL WHERE entities IS NOT NULL;
