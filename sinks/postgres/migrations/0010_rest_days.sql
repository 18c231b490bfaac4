-- Weekdays on which the plans of the day rest: they hold for days after it without a row.
ALTER TABLE user_metrics_daily ADD COLUMN rest_days text[];
