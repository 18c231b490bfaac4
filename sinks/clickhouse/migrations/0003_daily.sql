-- One row per user and local day; the highest version wins. Missing is null, never zero; an empty map or list is null too
-- (neither is ever sent empty). A row whose entities are null says that nothing is left on that day.
CREATE TABLE IF NOT EXISTS daily (
    user_id                 String,
    date                    Date,
    version                 UInt64,
    energy_kcal             Nullable(Float64),
    protein_g               Nullable(Float64),
    carbs_g                 Nullable(Float64),
    fat_g                   Nullable(Float64),
    fibre_g                 Nullable(Float64),
    water_ml                Nullable(Float64),
    meals_logged            Nullable(Int64),
    workouts_completed      Nullable(Int64),
    workout_minutes         Nullable(Float64),
    volume_kg               Nullable(Float64),
    estimated_1rm_kg        Map(String, Float64),
    workout_calories_kcal   Nullable(Float64),
    activity_calories_kcal  Nullable(Float64),
    calories_burned_kcal    Nullable(Float64),
    steps                   Nullable(Int64),
    active_minutes          Nullable(Float64),
    distance_m              Nullable(Float64),
    sleep_minutes           Nullable(Float64),
    weight_kg               Nullable(Float64),
    body_fat_pct            Nullable(Float64),
    waist_cm                Nullable(Float64),
    entities                Nullable(Int64),
    sources                 Array(LowCardinality(String)),
    first_event_at          Nullable(DateTime64(3, 'UTC')),
    last_event_at           Nullable(DateTime64(3, 'UTC'))
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(greatest(date, toDate('2010-01-01')))
ORDER BY (user_id, date);

-- One row per user and day with anything on it; the same columns as user_metrics_daily in PostgreSQL.
CREATE OR REPLACE VIEW daily_current AS
SELECT * FROM daily FINAL WHERE entities IS NOT NULL;
