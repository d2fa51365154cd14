# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# For the suites in this folder: each *.test is a bash script that sources this file and prints TAP.
# Its first lines say where it runs, and ./dev test reads them:
#
#     # lab: --up --memory 2048    in a lab machine started with these options of tools/lab
#     # outside                    or on the machine itself, to start lab machines by its own hand
#     # slow                       only with ./dev test --all
#
# A suite may be run by hand too:   tools/lab --up --memory 2048 -- bash tests/vm/NAME.test

tap_count=0
tap_failed=0
trap tap_finish EXIT

# ok TEXT COMMAND...: the command succeeds. What it printed is shown when it doesn't.
ok()
{
	local text=$1 output code=0
	shift
	output=$("$@" 2>&1) || code=$?
	[ $code = 0 ] || output+=${output:+$'\n'}"exit code $code from: $*"
	tap_result $code "$text" "$output"
}

# refused TEXT PATTERN COMMAND...: the command fails, and says something that matches.
refused()
{
	local text=$1 pattern=$2 output code=0
	shift 2
	output=$("$@" 2>&1) && code=1
	grep -qE -- "$pattern" <<<"$output" || code=1
	tap_result $code "$text" "wanted a failure with '$pattern' from: $*"$'\n'"$output"
}

# is TEXT GOT WANTED: equal strings.
is()
{
	local code=0
	[ "$2" = "$3" ] || code=1
	tap_result $code "$1" "got:    $2"$'\n'"wanted: $3"
}

# like TEXT GOT PATTERN: a line matches the extended regular expression.
like()
{
	local code=0
	grep -qE -- "$3" <<<"$2" || code=1
	tap_result $code "$1" "got:    $2"$'\n'"wanted: $3"
}

# skip TEXT WHY
skip()
{
	tap_count=$((tap_count + 1))
	echo "ok $tap_count - $1 # SKIP $2"
}

# await SECONDS COMMAND...: until the command succeeds; fails when it doesn't in that time.
await()
{
	local latest=$((SECONDS + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $latest ] || return 1
		sleep 0.1
	done
}

tap_result()
{
	tap_count=$((tap_count + 1))
	if [ "$1" = 0 ]; then
		echo "ok $tap_count - $2"
		return
	fi
	tap_failed=$((tap_failed + 1))
	echo "not ok $tap_count - $2"
	# shellcheck disable=SC2001 # every line
	sed 's/^/# /' <<<"$3"
}

# On leaving, however: a suite that dies half-way isn't a suite that passes.
tap_finish()
{
	local code=$?
	trap - EXIT
	# A suite that has something to end or remove defines clean_up.
	! declare -F clean_up >/dev/null || clean_up
	[ $code = 0 ] || tap_result 1 "the suite runs to its end" "it left with exit code $code"
	echo "1..$tap_count"
	[ $tap_failed = 0 ]
	exit
}
