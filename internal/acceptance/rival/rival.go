// Command rival is a gate as one would write it with a ready-made outbox: at
// each instant of a timetable it plays a clip with mpg123 and, when that has
// ended well, puts an event into the outbox, which is sent when the office can
// be reached. TestRivals loses its power at the same moments as ours.
//
//	rival paho          DIR TIMETABLE mqtt-address SPEAKER CLIP
//	rival sqlite-normal DIR TIMETABLE http-address SPEAKER CLIP
//	rival sqlite-full   DIR TIMETABLE http-address SPEAKER CLIP
//
// The timetable has a line for each play: its number and its Unix time in
// milliseconds. What is over when the program starts is not played, as cron
// does it. SPEAKER is the file that mpg123 writes its samples to.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

// outbox keeps events until the office has them.
type outbox interface {
	// put takes an event as sent for the caller: it is kept and sent again
	// until it is confirmed.
	put(event string) error
}

func main() { os.Exit(run(os.Args[1:])) }

func run(args []string) int {
	if len(args) != 6 {
		fmt.Fprintln(os.Stderr, "usage: rival paho|sqlite-normal|sqlite-full DIR TIMETABLE ADDRESS SPEAKER CLIP")
		return 2
	}
	kind, dir, timetable, address, speaker, clip := args[0], args[1], args[2], args[3], args[4], args[5]
	if err := live(kind, dir, timetable, address, speaker, clip); err != nil {
		fmt.Fprintln(os.Stderr, "rival:", err)
		return 1
	}
	return 0
}

func live(kind, dir, timetable, address, speaker, clip string) error {
	text, err := os.ReadFile(timetable)
	if err != nil {
		return err
	}
	var box outbox
	switch kind {
	case "paho":
		box = newPaho(dir, address)
	case "sqlite-normal", "sqlite-full":
		box, err = newSQLite(dir, address, strings.TrimPrefix(kind, "sqlite-"))
	default:
		err = fmt.Errorf("unknown outbox %q", kind)
	}
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(text)) {
		var n int
		var ms int64
		if _, err := fmt.Sscan(line, &n, &ms); err != nil {
			return fmt.Errorf("timetable line %q: %w", line, err)
		}
		wait := time.Until(time.UnixMilli(ms))
		if wait < 0 {
			continue
		}
		<-time.After(wait)
		if err := exec.Command("mpg123", "-q", "-O", speaker, clip).Run(); err != nil {
			fmt.Fprintln(os.Stderr, "rival: playing:", err)
			continue
		}
		if err := box.put(fmt.Sprintf("played %d", n)); err != nil {
			return err
		}
	}
	select {} // until the power goes
}
