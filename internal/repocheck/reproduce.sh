#!/bin/sh
# Builds programs twice, in two folders and from two build caches, one of them
# empty, and compares the bytes: reproduce.sh PROGRAM...
set -eu
export CGO_ENABLED=0
elsewhere=$(mktemp -d)
trap 'rm -rf "$elsewhere"' EXIT
mkdir -p "$elsewhere/a" "$elsewhere/b" "$elsewhere/somewhere/else" "$elsewhere/cache"
git ls-files -z | tar -c --null -T - | tar -x -C "$elsewhere/somewhere/else"
build() {
	to=$1
	shift
	for program; do
		go build -trimpath -buildvcs=false -ldflags "-s -w" -o "$to/" "./cmd/$program"
	done
}
build "$elsewhere/a" "$@"
(cd "$elsewhere/somewhere/else" && GOCACHE=$elsewhere/cache build "$elsewhere/b" "$@")
for program; do
	cmp "$elsewhere/a/$program" "$elsewhere/b/$program" || { echo "$program: two builds differ" >&2; exit 1; }
	echo "$program: two builds, sha256 $(sha256sum <"$elsewhere/a/$program" | cut -c1-64)"
done
