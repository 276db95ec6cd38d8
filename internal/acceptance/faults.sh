#!/bin/sh
# Runs every test that puts the real programs through faults (TestSurvives…)
# and prints the outcome table, English and Chinese: faults.sh [go test flags].
# The rows stay in bin/outcomes.jsonl; internal/acceptance/outcome says how to
# add some. It takes about seven minutes: more kills, a longer storm at
# the broker and more plays without network than in the usual test run.
set -eu
: "${GATECAST_KILLS:=500}" "${GATECAST_BROKER_SECONDS:=30}" "${GATECAST_OUTAGE_PLAYS:=48}" "${GATECAST_POWER_CUTS:=20}"
export GATECAST_POWER_CUTS GATECAST_KILLS GATECAST_BROKER_SECONDS GATECAST_OUTAGE_PLAYS
cd "$(dirname "$0")/../.."
packages=$(git grep -l '^func TestSurvives' -- '*_test.go' | xargs -n 1 dirname | sort -u | sed 's|^|./|')
mkdir -p bin
GATECAST_OUTCOMES=$PWD/bin/outcomes.jsonl
export GATECAST_OUTCOMES
# Journal and store by themselves stand a power cut in milliseconds.
GATECAST_DISK_CUTS=${GATECAST_DISK_CUTS:-1000}
export GATECAST_DISK_CUTS
: >"$GATECAST_OUTCOMES"
status=0
# shellcheck disable=SC2086
go test -count=1 -p 1 -parallel 4 -timeout 60m -run '^TestSurvives' "$@" $packages || status=$?
echo
date -u '+%d %B %Y, %H:%M UTC'
sed -n 's/^model name[^:]*: *//p' /proc/cpuinfo | sort | uniq -c | sed 's/^ *\([0-9]*\) \(.*\)/\1 cores, \2/'
uname -sr
go version
go run ./internal/acceptance/outcome/table <"$GATECAST_OUTCOMES"
go run ./internal/acceptance/outcome/table zh <"$GATECAST_OUTCOMES"
exit "$status"
