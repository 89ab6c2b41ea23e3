#!/bin/sh
# Rotates a secret of compose.yaml while it runs:
#
#   ./rotate.sh database    a new password for PostgreSQL's role and for those who use it
#   ./rotate.sh jwt         a new key to sign with; the old one is still accepted
#
# Each file is replaced by a new one renamed over it: nobody ever reads half of it. The shim sees that, as the whole
# directory is mounted, and restarts the API and the worker.
set -eu
cd "$(dirname "$0")"
dir=${SECRETS_DIR:-./secrets}
compose=${COMPOSE:-docker compose}

# The containers' users read these files, so they are 0644: it is the directory above them that keeps others out.
umask 022

# generate FILE COMMAND...: what the command prints, beside the secrets and hidden from the shim by its dot.
generate() {
	file=$1
	shift
	"$@" >"$dir/.$file.new"
	[ -s "$dir/.$file.new" ] || { echo "$*: printed nothing" >&2; exit 1; }
}

case ${1:-} in
database)
	generate postgres_password openssl rand -base64 24
	# From here on the old password opens no new connection; those that are open live on. So a request may have to be
	# tried again until the restart, some two seconds later. Two roles in turn avoid that: see swarm.sh.
	#
	# By standard input: an argument would be seen in ps. Base64 has no quotes. Nor is the statement to be logged.
	printf "SET log_statement = none; SET log_min_error_statement = panic;\nALTER ROLE devuser PASSWORD '%s';\n" "$(cat "$dir/.postgres_password.new")" |
		$compose exec -T postgres psql -q -v ON_ERROR_STOP=1 -U devuser devplatform
	mv "$dir/.postgres_password.new" "$dir/postgres_password"
	;;
jwt)
	generate jwt_secret_key openssl rand -hex 32
	# First the old key as the other one that is accepted: at no moment is a token refused that is in use.
	cp "$dir/jwt_secret_key" "$dir/.jwt_secret_key_previous.new"
	mv "$dir/.jwt_secret_key_previous.new" "$dir/jwt_secret_key_previous"
	mv "$dir/.jwt_secret_key.new" "$dir/jwt_secret_key"
	;;
*)
	sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0" >&2
	exit 2
	;;
esac
