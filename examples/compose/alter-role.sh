#!/bin/sh
# Tells PostgreSQL the password that is in secrets/postgres_password. The file comes first:
#
#   secret-rotate --schema .env.schema --dir secrets POSTGRES_PASSWORD --then ./alter-role.sh --rollback
#
# It can be run again at any time, after a rollback for one: afterwards PostgreSQL has what the file has.
set -eu
cd "$(dirname "$0")"
# secret-rotate says which directory it has changed.
file=${SECRET_ROTATE_TARGET:-${SECRETS_DIR:-./secrets}}/postgres_password

# As SQL quotes it.
password=$(sed "s/'/''/g" "$file")
[ -n "$password" ] || { echo "alter-role.sh: $file is empty" >&2; exit 1; }

# From here on the old password opens no new connection; those that are open live on. So a request may have to be
# tried again until the API has been replaced, some seconds later. Two roles in turn avoid that: see swarm.sh.
#
# By standard input: an argument would be seen in ps. Nor is the statement to be logged, or quoted in an error.
printf "SET log_statement = none; SET log_min_error_statement = panic;\nALTER ROLE devuser PASSWORD '%s';\n" "$password" |
	${COMPOSE:-docker compose} exec -T postgres psql -q -v ON_ERROR_STOP=1 -v VERBOSITY=terse -U devuser devplatform || {
	echo "alter-role.sh: PostgreSQL was not told the password of $file: see docker compose ps and logs, and run this again" >&2
	exit 1
}
