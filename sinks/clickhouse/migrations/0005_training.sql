-- Training load (session RPE), and what single workouts reached: name, or name:exercise → (value, entity).
ALTER TABLE daily ADD COLUMN IF NOT EXISTS training_load Nullable(Float64);
ALTER TABLE daily ADD COLUMN IF NOT EXISTS bests Map(String, Tuple(value Float64, entity String));
CREATE OR REPLACE VIEW daily_current AS
SELECT * FROM daily FINAL WHERE entities IS NOT NULL;
