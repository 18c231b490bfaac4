-- Run once by psql as the superuser, when docker-compose.yml makes the database; on a server of your own do the same.
-- Who logs in: daybook_owner migrates, daybook_writer stores and looks after, daybook_reader answers the app. None is a superuser.
\set owner `cat /run/secrets/postgres-owner`
\set writer `cat /run/secrets/postgres-writer`
\set reader `cat /run/secrets/postgres-reader`
SET password_encryption = 'scram-sha-256';
CREATE ROLE daybook_owner LOGIN NOSUPERUSER NOCREATEROLE PASSWORD :'owner';
CREATE ROLE daybook_writer LOGIN NOSUPERUSER PASSWORD :'writer';
CREATE ROLE daybook_reader LOGIN NOSUPERUSER PASSWORD :'reader' CONNECTION LIMIT 64;
GRANT daybook_writer, daybook_reader TO daybook_owner WITH INHERIT FALSE, SET TRUE;
ALTER DATABASE daybook OWNER TO daybook_owner;
REVOKE ALL ON DATABASE daybook FROM PUBLIC;
GRANT CONNECT, TEMPORARY ON DATABASE daybook TO daybook_writer;
GRANT CONNECT ON DATABASE daybook TO daybook_reader;
\connect daybook
ALTER SCHEMA public OWNER TO daybook_owner;
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
ALTER ROLE daybook_reader SET statement_timeout = '10s';
