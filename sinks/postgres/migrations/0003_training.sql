-- Training load (session RPE), and what single workouts reached: name, or name:exercise → [value, entity].
ALTER TABLE user_metrics_daily ADD COLUMN training_load double precision, ADD COLUMN bests jsonb;
