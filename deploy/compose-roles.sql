-- Runs once, when the database is created. Change both passwords here and in secrets/pgpass.
CREATE ROLE nociscreen LOGIN PASSWORD 'change-me';
CREATE ROLE nociscreen_backup LOGIN BYPASSRLS PASSWORD 'change-me-too';
GRANT pg_read_all_data TO nociscreen_backup;
CREATE ROLE nociscreen_app NOLOGIN NOSUPERUSER NOBYPASSRLS;
GRANT nociscreen_app TO nociscreen;
CREATE DATABASE nociscreen OWNER nociscreen;
