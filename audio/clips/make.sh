#!/bin/sh
# Makes the sample clips from the spoken texts in texts.tsv (name, tab, text).
# Needs espeak-ng 1.51 or later, sox and lame. The result differs between their
# versions, so that the clips are committed and this is run only to change them.
#
# The voice cmn-latn-pinyin reads Chinese with its tones; cmn reads it as
# garbage. 150 words a minute is unhurried Mandarin.
set -eu
cd "$(dirname "$0")"
t=$(mktemp -d)
trap 'rm -rf "$t"' EXIT
while IFS="$(printf '\t')" read -r name text; do
	espeak-ng -v cmn-latn-pinyin -s 150 -w "$t/raw.wav" "$text"
	# 3 dB of headroom for the coder; the voice itself ends with a breath of silence.
	sox -D "$t/raw.wav" "$t/$name.wav" norm -3 pad 0.2 0
	lame --quiet -m m -b 32 --resample 22.05 -q 0 "$t/$name.wav" "$name.mp3"
done <texts.tsv
