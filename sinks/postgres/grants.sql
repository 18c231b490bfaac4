-- Applied at the end of every migration, also of one that has nothing else to do: what is as it should be is left alone.
-- Every table with a user in it has row-level security, forced on its owner too, whoever wrote the migration that made it.
DO $$
DECLARE
    t record;
BEGIN
    FOR t IN
        SELECT c.oid, c.oid::regclass AS name, c.relkind, c.relrowsecurity AND c.relforcerowsecurity AS is_closed,
               EXISTS (SELECT FROM pg_attribute AS a
                       WHERE a.attrelid = c.oid AND a.attname = 'user_id' AND NOT a.attisdropped) AS has_users,
               EXISTS (SELECT FROM pg_policy AS p WHERE p.polrelid = c.oid AND p.polname = 'all_rows') AS has_policy
        FROM pg_class AS c
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v') AND c.relname <> 'schema_migrations'
    LOOP
        IF t.relkind = 'v' THEN
            IF NOT has_table_privilege('daybook_writer', t.oid, 'SELECT') THEN
                EXECUTE format('GRANT SELECT ON %s TO daybook_writer', t.name);
            END IF;
            CONTINUE;
        END IF;
        IF NOT has_table_privilege('daybook_writer', t.oid, 'DELETE') THEN
            EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO daybook_writer', t.name);
        END IF;
        IF t.has_users AND NOT t.is_closed THEN
            EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', t.name);
        END IF;
        IF t.has_users AND NOT t.has_policy THEN
            EXECUTE format('CREATE POLICY all_rows ON %s TO daybook_writer USING (true) WITH CHECK (true)', t.name);
        END IF;
    END LOOP;
END $$;
-- A rebuild empties what is known by places on topics.
GRANT TRUNCATE ON rejected, replayed, trending_blocks TO daybook_writer;
-- What the operator's page counts of refused events: why, where and when, and neither whose they are nor what they said.
GRANT SELECT (topic, partition, "offset", received_at, reason, path, original_at) ON rejected TO daybook_reader;
GRANT SELECT ON replayed TO daybook_reader;
GRANT SELECT ON schema_migrations TO daybook_writer;
