#!/bin/sh
# Makes the files the decoder tests read, all of one spoken sentence of two
# seconds. They are committed, so that the tests need no tools; run this only to
# change them. Needs espeak-ng, sox, lame, oggenc, flac and ffmpeg.
set -eu
cd "$(dirname "$0")"
t=$(mktemp -d)
trap 'rm -rf "$t"' EXIT
espeak-ng -v cmn-latn-pinyin -s 150 -w "$t/s.wav" "陌生链接不点，陌生群不进。"
sox -D "$t/s.wav" "$t/speech.wav" trim 0 2 norm -6
flac -s -8 -f -o speech.flac "$t/speech.wav"
for r in 8000 11025 16000 24000 32000 44100 48000; do
	sox -D "$t/speech.wav" -r $r "$t/$r.wav"
done
sox -D -M "$t/44100.wav" "|sox $t/44100.wav -p vol 0.5" "$t/stereo.wav"
n="$t/null.wav"
sox -D "$t/44100.wav" "$n" vol 0
sox -D -M "$n" "$n" "$t/44100.wav" "$n" "$n" "$n" "$t/surround.wav"

l="lame --quiet -m m"
$l -b 32 "$t/speech.wav" mono-22k-32.mp3
$l -b 24 --resample 22.05 "$t/speech.wav" mono-22k-24.mp3
$l -b 96 "$t/speech.wav" mono-22k-96.mp3
$l -b 160 "$t/speech.wav" mono-22k-160.mp3
$l -V 5 "$t/speech.wav" mono-22k-vbr.mp3
$l -b 24 "$t/16000.wav" mono-16k.mp3
$l -b 40 "$t/24000.wav" mono-24k.mp3
$l -b 32 --resample 11.025 "$t/11025.wav" mono-11k.mp3
$l -b 16 --resample 12 "$t/24000.wav" mono-12k.mp3
$l -b 16 "$t/8000.wav" mono-8k.mp3
$l -b 48 "$t/32000.wav" mono-32k.mp3
lame --quiet -m j -b 96 --resample 44.1 "$t/stereo.wav" stereo-44k.mp3
lame --quiet -m j -b 48 --resample 22.05 "$t/stereo.wav" stereo-22k.mp3
lame --quiet -t -m m -b 64 -p "$t/48000.wav" noheader-48k-crc.mp3

for r in 8000 22050 44100; do
	sox -D "$t/speech.wav" -r $r "$t/o.wav"
	oggenc -Q -q 1 --serial 1 -o mono-$r.ogg "$t/o.wav"
done
oggenc -Q -q 0 --serial 1 -o stereo-44k.ogg "$t/stereo.wav"
oggenc -Q -q 0 --serial 1 -o surround-5.1.ogg "$t/surround.wav"
sox -D -M "$n" "$n" "$t/44100.wav" "$n" "$n" -b 16 "$t/five.wav"
ffmpeg -v error -y -channel_layout 5.0 -i "$t/five.wav" -map_metadata -1 -fflags +bitexact -c:a libvorbis -q:a 0 surround-5.ogg
flac -s -8 -f -o surround.flac "$t/surround.wav"
sox -D "$t/speech.wav" -r 96000 -b 24 "$t/f.wav" trim 0 0.5
flac -s -8 -f -o mono-96k-24.flac "$t/f.wav"
sox -D "$t/speech.wav" -b 8 -r 8000 "$t/f.wav"
flac -s -8 -f -o mono-8k-8.flac "$t/f.wav"

ff="ffmpeg -v error -y -i $t/speech.wav -map_metadata -1 -fflags +bitexact -flags +bitexact"
$ff -t 0.3 -c:a aac -b:a 32k voice.m4a
$ff -t 0.3 -c:a aac -b:a 32k voice.aac
$ff -t 0.3 -ar 48000 -c:a libopus -b:a 16k voice.opus
$ff -t 0.3 -c:a wmav2 -b:a 32k voice.wma
$ff -t 0.3 -c:a mp2 -b:a 32k voice.mp2
