#!/bin/sh
# What crontab starts every few minutes, second way: the office gets the lines
# that are new since the last time that worked.
cd "$GATE" || exit 1
lines=$(wc -l < broadcast.log) || exit 0
sent=$(cat sent 2>/dev/null)
sent=${sent:-0}
[ "$lines" -gt "$sent" ] || exit 0
tail -n "+$((sent + 1))" broadcast.log | curl -fsS --max-time 10 --data-binary @- "$OFFICE/lines" && echo "$lines" > sent
