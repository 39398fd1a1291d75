-- The roles and the database of the service; run it once by psql as a superuser.
-- nociscreen logs in and owns the tables; nociscreen_app, to which the service switches, is bound by row-level security.
\set ON_ERROR_STOP on
\set password `cat /run/secrets/database-password`
SELECT 'CREATE ROLE nociscreen_app NOLOGIN NOSUPERUSER NOBYPASSRLS'
    WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'nociscreen_app') \gexec
CREATE ROLE nociscreen LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEROLE NOCREATEDB PASSWORD :'password';
GRANT nociscreen_app TO nociscreen;
CREATE DATABASE nociscreen OWNER nociscreen ENCODING 'UTF8' TEMPLATE template0;
REVOKE ALL ON DATABASE nociscreen FROM PUBLIC;
-- For `nociscreen backup` alone; give it a password by \password before its first use.
SELECT 'CREATE ROLE nociscreen_backup LOGIN NOSUPERUSER BYPASSRLS NOCREATEROLE NOCREATEDB'
    WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'nociscreen_backup') \gexec
GRANT pg_read_all_data TO nociscreen_backup;
GRANT CONNECT ON DATABASE nociscreen TO nociscreen_backup;
