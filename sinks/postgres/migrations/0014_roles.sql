-- Who may do what (sinks/postgres/connect.py). The owner is whoever migrates; it may act as either of the other two, and
-- has the rights of neither until it does. What each may do with which table stands in grants.sql, which every migration
-- ends with.
DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'daybook_writer') THEN
        CREATE ROLE daybook_writer NOLOGIN;
    END IF;
EXCEPTION
    WHEN duplicate_object OR unique_violation THEN NULL;   -- another database of this server made it meanwhile
    WHEN insufficient_privilege THEN
        RAISE EXCEPTION 'the role daybook_writer is missing and may not be made by %: have an administrator run CREATE ROLE daybook_writer NOLOGIN; GRANT daybook_writer TO % WITH INHERIT FALSE, SET TRUE', current_user, current_user;
END $$;
DO $$ DECLARE lower text; BEGIN
    FOREACH lower IN ARRAY ARRAY['daybook_writer', 'daybook_reader'] LOOP
        IF NOT pg_has_role(current_user, lower, 'SET') THEN
            EXECUTE format('GRANT %I TO %I WITH INHERIT FALSE, SET TRUE', lower, current_user);
        END IF;
    END LOOP;
END $$;

-- A month's partition is closed like the table that it belongs to: who names it alone sees no more. Run with the owner's
-- rights by whoever writes rows; pg_temp comes last, or a table of the caller's could stand in for ours.
CREATE OR REPLACE FUNCTION user_metrics_daily_make_month(day date) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
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
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', part);
    EXECUTE format('DROP POLICY IF EXISTS all_rows ON %I', part);
    EXECUTE format('CREATE POLICY all_rows ON %I TO daybook_writer USING (true) WITH CHECK (true)', part);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO daybook_writer', part);
    EXECUTE format('ALTER TABLE user_metrics_daily ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
                   part, first, (first + interval '1 month')::date);
END $$;

-- Drops a month. Whoever calls it has locked it and seen that it is empty; as the owner does not see rows, it cannot look.
-- A writer may delete every row of it, so this gives it nothing more.
CREATE FUNCTION user_metrics_daily_drop_month(first date) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    part text := format('user_metrics_daily_%s', to_char(first, 'YYYY_MM'));
BEGIN
    IF NOT EXISTS (SELECT FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
                   WHERE inhparent = 'user_metrics_daily'::regclass AND relname = part) THEN
        RAISE EXCEPTION 'there is no month %', part;
    END IF;
    EXECUTE format('DROP TABLE %I', part);
END $$;
REVOKE EXECUTE ON FUNCTION user_metrics_daily_make_month(date), user_metrics_daily_drop_month(date) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION user_metrics_daily_make_month(date), user_metrics_daily_drop_month(date) TO daybook_writer;
