#!/bin/sh
# Makes the recording that a phone would: AMR, 12.2 kbit/s. ffmpeg has no AMR
# encoder, so sox does it with libopencore-amrnb (Debian: sox, libsox-fmt-base).
# The voice is the shipped sample kefu, read by espeak-ng.
set -eu
cd "$(dirname "$0")"
ffmpeg -v error -y -i ../../../audio/clips/kefu.mp3 -t 7 -ac 1 -ar 8000 voice8.wav
sox voice8.wav -C 7 phone.amr-nb
mv phone.amr-nb phone.amr
rm voice8.wav
