#!/bin/sh
# Builds all programs, static, for every platform that is promised.
set -eu
export CGO_ENABLED=0
for target in amd64 arm64 arm/6 arm/7; do
	arch=${target%/*} arm=""
	[ "$arch" = "$target" ] || arm=${target#*/}
	echo "linux/$target"
	for program in gatecast gatecast-agent gatecast-controller; do
		GOOS=linux GOARCH=$arch GOARM=$arm go build -trimpath -ldflags "-s -w" \
			-o "dist/linux-$arch${arm:+v$arm}/$program" "./cmd/$program"
	done
done
