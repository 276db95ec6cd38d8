#!/bin/sh
# Runs every test that attacks (TestRefuses…) and prints what was tried and
# refused, English and Chinese: attacks.sh [go test flags]. The rows stay in
# bin/attacks.jsonl; internal/acceptance/outcome says how to add some.
set -eu
cd "$(dirname "$0")/../.."
packages=$(git grep -l '^func TestRefuses' -- '*_test.go' | xargs -n 1 dirname | sort -u | sed 's|^|./|')
mkdir -p bin
GATECAST_ATTACKS=$PWD/bin/attacks.jsonl
export GATECAST_ATTACKS
: >"$GATECAST_ATTACKS"
status=0
# shellcheck disable=SC2086
go test -count=1 -timeout 20m -run '^TestRefuses' "$@" $packages || status=$?
echo
date -u '+%d %B %Y, %H:%M UTC'
sed -n 's/^model name[^:]*: *//p' /proc/cpuinfo | sort | uniq -c | sed 's/^ *\([0-9]*\) \(.*\)/\1 cores, \2/'
go version
go run ./internal/acceptance/outcome/table attacks <"$GATECAST_ATTACKS"
go run ./internal/acceptance/outcome/table attacks zh <"$GATECAST_ATTACKS"
exit "$status"
