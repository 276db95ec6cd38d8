#!/bin/sh
# What crontab starts at each slot: play.sh NUMBER
# (-O only leads the sound to a loudspeaker that the test can hear.)
cd "$GATE" || exit 1
mpg123 -q -O "$SPEAKER" "$CLIP" && echo "$(date '+%F %T') played $1" >> broadcast.log
