#!/bin/bash
# Runs the tests of processes again and again, and counts what fails: tests that wait for time, and not for what
# must have happened, pass on one machine and fail on another.
#
#   FLAKE_PACKAGES  the packages (those that start processes and wait for them)
#   FLAKE_COUNT     how often each is run in each way (20)
#   FLAKE_RUN       which tests, as for go test -run (all)
#   FLAKE_WAYS      how: "idle" as they are; "slow" where each sh and bash of PATH starts half a second late; "busy"
#                   beside a busy loop on each core (all three)
set -euo pipefail
cd "$(dirname "$0")/.."

packages=${FLAKE_PACKAGES:-./cmd/secret-entrypoint ./internal/supervise ./internal/leash ./watch ./test/migrating}
count=${FLAKE_COUNT:-20}
ways=${FLAKE_WAYS:-idle slow busy}

work=$(mktemp -d)
loops=()
unload() {
	for loop in "${loops[@]}"; do
		kill "$loop" 2>/dev/null || true
		wait "$loop" 2>/dev/null || true
	done
	loops=()
}
trap 'unload; rm -rf "$work"' EXIT
running=
trap '[ -z "$running" ] || kill "$running" 2>/dev/null || true; unload; wait; exit 130' INT TERM HUP

mkdir "$work/slow"
for shell in sh bash; do
	real=$(readlink -f "$(command -v "$shell")")
	# Under its own name: tests find processes by their command lines.
	printf '#!/bin/bash\n/bin/sleep 0.5\nexec -a %s %s "$@"\n' "$shell" "$real" >"$work/slow/$shell"
	chmod +x "$work/slow/$shell"
done

# once WAY PACKAGE BINARY: its output is in $work/out.
once() {
	local path=$PATH status=0
	[ "$1" = slow ] && path=$work/slow:$PATH
	if [ "$1" = busy ]; then
		for _ in $(seq "$(nproc)"); do
			(while :; do :; done) &
			loops+=($!)
		done
	fi
	(cd "$2" && PATH=$path exec "$3" -test.timeout=20m -test.run "${FLAKE_RUN:-.}") >"$work/out" 2>&1 &
	running=$!
	wait "$running" || status=$?
	running=
	unload 2>/dev/null
	return $status
}

failures=0
for package in $packages; do
	binary=$work/$(basename "$package").test
	go test -race -c -o "$binary" "$package"
	for way in $ways; do
		bad=0
		for n in $(seq "$count"); do
			once "$way" "$package" "$binary" && continue
			bad=$((bad + 1))
			echo "--- $package, $way, run $n:"
			tail -n 60 "$work/out"
		done
		failures=$((failures + bad))
		echo "$package, $way: $bad of $count runs failed"
	done
done
[ "$failures" = 0 ]
