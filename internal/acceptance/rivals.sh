#!/bin/sh
# Plays one timetable with Gatecast and with what people use instead, through
# the same power cuts and the same outage, and prints what each of them lost,
# in English and Chinese. GATECAST_RIVALS is the number of plays, five seconds
# each; TestRivals says what is compared.
set -eu
cd "$(dirname "$0")/../.."
out=$(mktemp)
trap 'rm -f "$out"' EXIT
status=0
go test -count=1 -timeout 60m -run '^TestRivals$' -v ./internal/acceptance >"$out" 2>&1 || status=$?
[ "$status" = 0 ] || cat "$out"
date -u '+%d %B %Y, %H:%M UTC'
sed -n 's/^model name[^:]*: *//p' /proc/cpuinfo | sort | uniq -c | sed 's/^ *\([0-9]*\) \(.*\)/\1 cores, \2/'
uname -sr
go version
mosquitto -h | head -n 1
mpg123 --version
sed -n 's/^ *//; /GATECAST_SEED/p; /plays planned/p; /the cuts took/p; /^|/p' "$out"
exit "$status"
