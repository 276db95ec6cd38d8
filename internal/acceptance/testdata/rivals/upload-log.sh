#!/bin/sh
# What crontab starts every few minutes, first way: the office gets the log as
# it is now, as by rsync or scp.
cd "$GATE" || exit 1
[ -s broadcast.log ] || exit 0
curl -fsS --max-time 10 -T broadcast.log "$OFFICE/log"
