#!/bin/sh
# Formatting, vet, staticcheck, known vulnerabilities and generated files.
set -eu
unformatted=$(gofmt -l $(git ls-files '*.go'))
[ -z "$unformatted" ] || { echo "not formatted: $unformatted" >&2; exit 1; }
go vet ./...
go tool staticcheck ./...
go mod verify >/dev/null
go mod tidy -diff
sh internal/repocheck/vuln.sh
