-- One row per user and local day. Missing is null, never zero. A row whose metrics are all null says that nothing is
-- left on that day; it keeps its version, so that an older row cannot come back.
CREATE TABLE user_metrics_daily (
    user_id                 text COLLATE "C" NOT NULL,   -- byte order: the same in every store and on every machine
    date                    date NOT NULL,
    version                 bigint NOT NULL,
    energy_kcal             double precision,
    protein_g               double precision,
    carbs_g                 double precision,
    fat_g                   double precision,
    fibre_g                 double precision,
    water_ml                double precision,
    meals_logged            bigint,
    workouts_completed      bigint,
    workout_minutes         double precision,
    volume_kg               double precision,
    estimated_1rm_kg        jsonb,
    workout_calories_kcal   double precision,
    activity_calories_kcal  double precision,
    calories_burned_kcal    double precision,
    steps                   bigint,
    active_minutes          double precision,
    distance_m              double precision,
    sleep_minutes           double precision,
    weight_kg               double precision,
    body_fat_pct            double precision,
    waist_cm                double precision,
    entities                bigint,
    sources                 text[],
    first_event_at          timestamptz,
    last_event_at           timestamptz,
    PRIMARY KEY (user_id, date)
) PARTITION BY RANGE (date);

-- Months from 2010 to 2099 have a partition each, made before the first row of the month is written (see the function
-- below). What lies before and after shares two: unset clocks and old imports do not make hundreds of tables. There is
-- no DEFAULT partition, because making a month beside one locks it and must move rows out of it.
CREATE TABLE user_metrics_daily_before_2010 PARTITION OF user_metrics_daily FOR VALUES FROM (MINVALUE) TO ('2010-01-01');
CREATE TABLE user_metrics_daily_from_2100 PARTITION OF user_metrics_daily FOR VALUES FROM ('2100-01-01') TO (MAXVALUE);

-- Makes the partition that `day` lies in. Called again, also by two at once, it changes nothing. Attaching a table takes
-- a lock that lets others read and write (CREATE TABLE ... PARTITION OF would not).
CREATE FUNCTION user_metrics_daily_make_month(day date) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    first date := date_trunc('month', day)::date;
    part  text := format('user_metrics_daily_%s', to_char(day, 'YYYY_MM'));
BEGIN
    IF day < '2010-01-01' OR day >= '2100-01-01' THEN
        RETURN;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('user_metrics_daily_make_month'));
    IF EXISTS (SELECT FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
               WHERE inhparent = 'user_metrics_daily'::regclass AND relname = part) THEN
        RETURN;
    END IF;
    -- Rows are updated many times on their day: room on the page keeps updates out of the index.
    EXECUTE format('CREATE TABLE IF NOT EXISTS %I (LIKE user_metrics_daily INCLUDING ALL) WITH (fillfactor = 85)', part);
    EXECUTE format('ALTER TABLE user_metrics_daily ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
                   part, first, (first + interval '1 month')::date);
END $$;

-- Who reads on behalf of one user (`SET app.user = '...'`) sees that user's rows; the owner sees all.
DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'daybook_reader') THEN
        CREATE ROLE daybook_reader NOLOGIN;
    END IF;
EXCEPTION
    WHEN duplicate_object OR unique_violation THEN NULL;   -- another database of this server made it meanwhile
    WHEN insufficient_privilege THEN
        RAISE EXCEPTION 'the role daybook_reader is missing and may not be made by %: have an administrator run CREATE ROLE daybook_reader NOLOGIN', current_user;
END $$;
ALTER TABLE user_metrics_daily ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_rows ON user_metrics_daily FOR SELECT TO daybook_reader
    USING (user_id = current_setting('app.user', true));
GRANT SELECT ON user_metrics_daily TO daybook_reader;
