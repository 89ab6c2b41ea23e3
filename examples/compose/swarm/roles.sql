-- Run once, when the database is made, by the entrypoint of the PostgreSQL image.
--
-- Two roles that may log in, in turns: while devplatform_a is in use, devplatform_b can get a new password and be used,
-- and no connection is ever refused. Whatever they make belongs to devplatform.
\set password `cat /run/secrets/postgres_password`

CREATE ROLE devplatform NOLOGIN;
CREATE ROLE devplatform_a LOGIN PASSWORD :'password' IN ROLE devplatform;
CREATE ROLE devplatform_b NOLOGIN IN ROLE devplatform;
ALTER ROLE devplatform_a SET role = devplatform;
ALTER ROLE devplatform_b SET role = devplatform;
ALTER DATABASE devplatform OWNER TO devplatform;
