-- What a user's days come to, as of the latest of them. A row whose as_of is null says that no day is left; it keeps its
-- version, so that an older row cannot come back. windows: daily metric → sums, means and days of the last 7 and 28 days;
-- strength: exercise → best estimated one-repetition maximum, lately and before.
CREATE TABLE user_progress (
    user_id             text COLLATE "C" PRIMARY KEY,
    version             bigint NOT NULL,
    as_of               date,
    first_date          date,
    covered_days        bigint,
    acute_load          double precision,
    chronic_load        double precision,
    acute_chronic_ratio double precision,
    windows             jsonb,
    strength            jsonb
) WITH (fillfactor = 85);

-- Days in a row: the latest streak (current is 0 when it is broken) and the longest ever. Written with the row of
-- user_progress that they belong to, in one transaction, and only where they change.
CREATE TABLE user_streaks (
    user_id       text COLLATE "C" NOT NULL,
    streak        text COLLATE "C" NOT NULL,
    current       bigint NOT NULL,
    since         date NOT NULL,
    until         date NOT NULL,
    longest       bigint NOT NULL,
    longest_since date NOT NULL,
    longest_until date NOT NULL,
    PRIMARY KEY (user_id, streak)
) WITH (fillfactor = 85);

-- Personal records with the day and the entity (a workout) that set them, and what they replaced. exercise is empty where
-- a record has none. Written as user_streaks are.
CREATE TABLE user_records (
    user_id         text COLLATE "C" NOT NULL,
    record          text COLLATE "C" NOT NULL,
    exercise        text COLLATE "C" NOT NULL,
    value           double precision NOT NULL,
    date            date NOT NULL,
    entity          text,
    previous_value  double precision,
    previous_date   date,
    previous_entity text,
    PRIMARY KEY (user_id, record, exercise)
);

ALTER TABLE user_progress ENABLE ROW LEVEL SECURITY;
ALTER TABLE user_streaks ENABLE ROW LEVEL SECURITY;
ALTER TABLE user_records ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_rows ON user_progress FOR SELECT TO daybook_reader USING (user_id = current_setting('app.user', true));
CREATE POLICY own_rows ON user_streaks FOR SELECT TO daybook_reader USING (user_id = current_setting('app.user', true));
CREATE POLICY own_rows ON user_records FOR SELECT TO daybook_reader USING (user_id = current_setting('app.user', true));
GRANT SELECT ON user_progress, user_streaks, user_records TO daybook_reader;
