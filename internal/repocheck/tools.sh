#!/bin/sh
# Installs by apt the programs that the full test run needs. Without root or
# sudo, or without apt, it says so and the tests that need them skip.
set -eu
packages="alsa-utils busybox-static chromium cpio e2fsprogs curl espeak-ng ffmpeg flac fonts-noto-cjk gcc
 jq kmod lame libasound2-plugins libc6-dev mosquitto mosquitto-clients mpg123 pulseaudio
 pulseaudio-utils qemu-system-arm qemu-system-data qemu-system-x86 qemu-user-static sox vorbis-tools xz-utils"
missing=""
for p in $packages; do
	dpkg-query -W -f='${Status}' "$p" 2>/dev/null | grep -q 'install ok installed' || missing="$missing $p"
done
[ -n "$missing" ] || exit 0
run=""
if [ "$(id -u)" != 0 ]; then
	command -v sudo >/dev/null || { echo "not root and no sudo: tests that need$missing will skip" >&2; exit 0; }
	run="sudo"
fi
command -v apt-get >/dev/null || { echo "no apt-get: tests that need$missing will skip" >&2; exit 0; }
export DEBIAN_FRONTEND=noninteractive
$run apt-get update -qq
# shellcheck disable=SC2086
$run apt-get install -y -qq --no-install-recommends -o DPkg::Lock::Timeout=300 $missing >/dev/null
