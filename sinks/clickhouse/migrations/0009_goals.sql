-- What plans and goals say of a day, which source counted, and what the row rests on (docs/metrics.md).
ALTER TABLE daily ADD COLUMN IF NOT EXISTS meal_plan_adherence_pct Nullable(Float64);
ALTER TABLE daily ADD COLUMN IF NOT EXISTS workout_plan_adherence_pct Nullable(Float64);
ALTER TABLE daily ADD COLUMN IF NOT EXISTS planned Map(String, Tuple(how String, pct Float64, entity Nullable(String)));
ALTER TABLE daily ADD COLUMN IF NOT EXISTS rest_day Nullable(Bool);
ALTER TABLE daily ADD COLUMN IF NOT EXISTS goals Map(String, Tuple(metric String, target Float64, direction String, tolerance_pct Float64, effective_from String, actual Nullable(Float64), delta Nullable(Float64), hit Nullable(Bool)));
ALTER TABLE daily ADD COLUMN IF NOT EXISTS left_out Map(String, String);
ALTER TABLE daily ADD COLUMN IF NOT EXISTS coverage LowCardinality(Nullable(String));
ALTER TABLE daily ADD COLUMN IF NOT EXISTS meals_coverage LowCardinality(Nullable(String));
ALTER TABLE daily ADD COLUMN IF NOT EXISTS activity_coverage LowCardinality(Nullable(String));
ALTER TABLE daily ADD COLUMN IF NOT EXISTS sleep_coverage LowCardinality(Nullable(String));
CREATE OR REPLACE VIEW daily_current AS
SELECT * FROM daily FINAL WHERE entities IS NOT NULL;

-- One row per user, day and goal.
CREATE OR REPLACE VIEW user_goals AS
SELECT user_id, date, goal, said.metric AS metric, said.target AS target, said.direction AS direction,
       said.tolerance_pct AS tolerance_pct, toDate32(said.effective_from) AS effective_from,
       said.actual AS actual, said.delta AS delta, said.hit AS hit, version
FROM daily_current ARRAY JOIN mapKeys(goals) AS goal, mapValues(goals) AS said;
