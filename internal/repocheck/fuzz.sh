#!/bin/sh
# Runs every fuzz target for a while: fuzz.sh [duration], 10s each by default.
set -eu
time=${1:-10s}
git grep -l '^func Fuzz' -- '*_test.go' | while read -r file; do
	dir=$(dirname "$file")
	sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p' "$file" | while read -r target; do
		echo "$dir $target"
		go test "./$dir" -run '^$' -fuzz "^$target\$" -fuzztime "$time" </dev/null
	done
done
