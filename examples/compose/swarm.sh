#!/bin/sh
# Makes and rotates the secrets of stack.yaml, and deploys it. On a manager:
#
#   ./swarm.sh up               make the secrets that are missing, deploy, wait until all is healthy
#   ./swarm.sh set NAME         the next version of NAME from standard input: an API key, say
#   ./swarm.sh rotate database  a new password, on the other of two roles
#   ./swarm.sh prune            the end of the grace period: the old role may not log in any more, and versions that
#                               nothing uses are removed
#
# All else is rotated by secret-rotate --swarm: see docs/swarm.md.
#
# A Swarm secret cannot be changed, nor read back. So each has versions, NAME_v1, NAME_v2...: the newest is in use, and
# nothing else keeps a record. A value goes by standard input only, never by an argument, a variable of the environment or a file.
# Settings: STACK (devplatform), and those of stack.yaml: BACKEND_IMAGE, PORT, ALLOWED_ORIGINS.
set -eu
cd "$(dirname "$0")"
STACK=${STACK:-devplatform}
export STACK

fail() { echo "swarm.sh: $*" >&2; exit 1; }
went_back() { fail "the update failed, and Swarm went back to what ran before: $*see docker stack ps --no-trunc $STACK"; }

# The secrets in the order of stack.yaml, and how a first value is made; "ask" is one that only its issuer can make.
secrets='postgres_superuser_password:password
postgres_password:password
redis_password:password
jwt_secret_key:key
generation_salt:key
s3_access_key:ask
s3_secret_key:ask
anthropic_api_key:ask
mapbox_access_token:ask'

# generate KIND
generate() {
	case $1 in
	password) openssl rand -base64 24 ;;
	key) openssl rand -hex 32 ;;
	esac
}

# versions NAME: the numbers of its versions, in order.
versions() {
	docker secret ls --filter "name=${STACK}_$1_v" --format '{{.Name}}' | sed -n "s/^${STACK}_$1_v\([0-9][0-9]*\)\$/\1/p" | sort -n
}

# newest NAME: the number of its newest version, 0 if there is none.
newest() { { echo 0 && versions "$1"; } | tail -n 1; }

# add NAME VERSION: makes it from standard input.
add() { docker secret create --label "stack=$STACK" "${STACK}_$1_v$2" - >/dev/null; }

# attached NAME: the version of it that the API has, as secret-rotate or a deployment has left it; nothing if it has none.
attached() {
	docker service inspect --format '{{range .Spec.TaskTemplate.ContainerSpec.Secrets}}{{.File.Name}} {{.SecretName}}{{println}}{{end}}' "${STACK}_backend" 2>/dev/null |
		sed -n "s/^$1 .*_v\([0-9][0-9]*\)\$/\1/p"
}

# keys: which key signs, and which other one is accepted. Those that the API has, until `set` makes a newer one.
keys() {
	key=$(attached jwt_secret_key)
	previous=$(attached jwt_secret_key_previous)
	key=${key:-$JWT_SECRET_KEY_VERSION}
	if [ "$JWT_SECRET_KEY_VERSION" -gt "$key" ] && [ "$JWT_SECRET_KEY_VERSION" != "$previous" ]; then
		previous=$key
		key=$JWT_SECRET_KEY_VERSION
	fi
	# A stack has no "if": where no other key is accepted, the same one stands there twice.
	export JWT_SECRET_KEY_VERSION="$key" JWT_SECRET_KEY_PREVIOUS_VERSION="${previous:-$key}"
}

# role VERSION: whose password it is.
role() {
	if [ $(($1 % 2)) = 1 ]; then echo devplatform_a; else echo devplatform_b; fi
}

# deploy: the stack, with the newest version of each secret; waits for it.
deploy() {
	for line in $secrets; do
		name=${line%:*}
		version=$(newest "$name")
		[ "$version" != 0 ] || fail "there is no secret ${STACK}_${name}_v1: make it with ./swarm.sh set $name"
		export "$(echo "$name" | tr '[:lower:]' '[:upper:]')_VERSION=$version"
	done
	keys
	POSTGRES_ROLE=$(role "$POSTGRES_PASSWORD_VERSION")
	export POSTGRES_ROLE
	before=$(templates)
	docker stack deploy --prune --resolve-image "${RESOLVE_IMAGE:-always}" -c stack.yaml "$STACK" || return 1
	changed=$(templates | while read -r service sum; do
		case $before in
		*"$service $sum"*) ;;
		*"$service"*) echo "$service" ;;
		esac
	done)
	# shellcheck disable=SC2086 # identifiers
	settle $changed
}

# templates: for each service of the stack a line, which is another one when its tasks are to be others.
templates() {
	for service in $(docker stack services -q "$STACK" 2>/dev/null); do
		echo "$service $(docker service inspect --format '{{json .Spec.TaskTemplate}}' "$service" | cksum)"
	done
}

# settle SERVICE...: waits until every task runs, and the update of each SERVICE is over. Status 1: Swarm went back to
# what there was before.
settle() {
	tries=0
	while [ "$tries" -lt 300 ]; do
		# An update that was asked for has no state until it begins.
		state=$(for service in "$@"; do
			docker service inspect --format '{{if .UpdateStatus}}{{.UpdateStatus.State}}{{else}}updating{{end}}' "$service"
		done)
		waiting=$(docker stack services --format '{{.Replicas}}' "$STACK" | awk '{ split($1, n, "/") } n[1] != n[2]')
		case "$state${waiting:+ starting}" in
		*updating* | *rollback_started* | *starting*) ;;
		*rollback* | *paused*) return 1 ;;
		*) return 0 ;;
		esac
		tries=$((tries + 1))
		sleep 1
	done
	fail "not settled after five minutes: docker stack ps --no-trunc $STACK"
}

# sql: statements from standard input, as PostgreSQL's superuser, kept out of its log.
sql() {
	container=$(docker ps -q --filter "label=com.docker.swarm.service.name=${STACK}_postgres" | head -n 1)
	[ -n "$container" ] || fail "PostgreSQL does not run on this node"
	{ echo 'SET log_statement = none; SET log_min_error_statement = panic;' && cat; } |
		docker exec -i "$container" psql -q -v ON_ERROR_STOP=1 -U postgres devplatform
}

case "${1:-} ${2:-}" in
"up ")
	for line in $secrets; do
		name=${line%:*}
		kind=${line#*:}
		if [ "$(newest "$name")" = 0 ] && [ "$kind" != ask ]; then
			generate "$kind" | add "$name" 1
		fi
	done
	deploy || went_back "remove the newest version of the secret that does not work with docker secret rm, "
	;;

"set "?*)
	add "$2" $(($(newest "$2") + 1))
	;;

"rotate database")
	new=$(($(newest postgres_password) + 1))
	password=$(generate password)
	# Base64 has no quotes.
	printf "ALTER ROLE %s LOGIN PASSWORD '%s';\n" "$(role $new)" "$password" | sql
	printf '%s' "$password" | add postgres_password $new
	deploy || {
		docker secret rm "${STACK}_postgres_password_v$new" >/dev/null || true
		went_back
	}
	;;

"prune ")
	echo "ALTER ROLE $(role $(($(newest postgres_password) + 1))) NOLOGIN PASSWORD NULL;" | sql
	for line in $secrets; do
		name=${line%:*}
		for version in $(versions "$name" | sed '$d'); do
			# Docker keeps what is in use: PostgreSQL's first password, and a key that is still accepted.
			docker secret rm "${STACK}_${name}_v$version" 2>/dev/null || true
		done
	done
	;;

*)
	sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0" >&2
	exit 2
	;;
esac
