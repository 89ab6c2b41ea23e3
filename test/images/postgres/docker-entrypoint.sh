#!/bin/bash
# What the official image's entrypoint does, written anew: values by X or X_FILE and never both, root only
# to prepare the data directory, initdb and the scripts of /docker-entrypoint-initdb.d on the first start, then exec.
set -Eeo pipefail

file_env() {
	local name=$1 pointer=$1_FILE
	if [ -n "${!name:-}" ] && [ -n "${!pointer:-}" ]; then
		echo "error: both $name and $pointer are set (but are exclusive)" >&2
		exit 1
	fi
	if [ -n "${!pointer:-}" ]; then
		export "$name=$(<"${!pointer}")"
	elif [ -z "${!name:-}" ]; then
		export "$name=${2:-}"
	fi
	unset "$pointer"
}

if [ "${1:0:1}" = - ]; then
	set -- postgres "$@"
fi
if [ "$1" != postgres ]; then
	exec "$@"
fi

if [ "$(id -u)" = 0 ]; then
	mkdir -p "$PGDATA" /var/run/postgresql
	chmod 700 "$PGDATA"
	chown -R postgres: "$PGDATA" /var/run/postgresql
	exec gosu postgres "${BASH_SOURCE[0]}" "$@"
fi

file_env POSTGRES_PASSWORD
file_env POSTGRES_USER postgres
file_env POSTGRES_DB "$POSTGRES_USER"
if [ ! -s "$PGDATA/PG_VERSION" ]; then
	if [ -z "$POSTGRES_PASSWORD" ]; then
		echo "error: the database is not initialized and POSTGRES_PASSWORD is not set" >&2
		exit 1
	fi
	initdb --username="$POSTGRES_USER" --pwfile=<(printf '%s\n' "$POSTGRES_PASSWORD") --auth-local=trust --auth-host=scram-sha-256 -D "$PGDATA"
	printf '\nhost all all all scram-sha-256\n' >>"$PGDATA/pg_hba.conf"

	# Reached by its socket alone until everything is set up.
	pg_ctl -D "$PGDATA" -o "-c listen_addresses=''" -w start
	run() { psql -v ON_ERROR_STOP=1 --no-psqlrc --no-password --username "$POSTGRES_USER" --dbname "$@"; }
	if [ "$POSTGRES_DB" != postgres ]; then
		echo 'CREATE DATABASE :"name";' | run postgres -v "name=$POSTGRES_DB"
	fi
	for script in /docker-entrypoint-initdb.d/*; do
		# shellcheck disable=SC1090
		case $script in
		*.sql) run "$POSTGRES_DB" -f "$script" ;;
		*.sh) . "$script" ;;
		esac
	done
	pg_ctl -D "$PGDATA" -m fast -w stop
fi
exec "$@"
