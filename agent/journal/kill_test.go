package journal

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"testing"

	"gatecast/internal/wire"
)

// childMark stands before the folder in the arguments of the process that is
// killed.
const childMark = "write-until-killed"

// TestWriteUntilKilled is no test: it is the process that
// TestKilledProcessLosesNothing kills.
func TestWriteUntilKilled(t *testing.T) {
	i := slices.Index(os.Args, childMark)
	if i < 0 {
		return
	}
	j, err := Open(os.Args[i+1], Options{SegmentBytes: dataStart + maxFrame})
	if err != nil {
		t.Fatal(err)
	}
	for {
		seq, err := appendOne(j)
		if err != nil {
			t.Fatal(err)
		}
		if seq%3 == 0 {
			if err := j.Ack(wire.Ack{Log: j.Log(), Upto: seq - 1}); err != nil {
				t.Fatal(err)
			}
		}
		fmt.Printf("\nwrote %d\n", seq)
	}
}

// TestKilledProcessLosesNothing kills a real process with SIGKILL while it
// writes, at random records, again and again on the same journal. Everything
// that Append confirmed is there, in one unbroken log.
func TestKilledProcessLosesNothing(t *testing.T) {
	dir := t.TempDir()
	var log wire.LogID
	var confirmed wire.Seq
	for round := range 12 {
		cmd := exec.Command(os.Args[0], "-test.run=^TestWriteUntilKilled$", "-test.count=1", childMark, dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines, left := bufio.NewScanner(out), 1+rand.IntN(60)
		for left > 0 && lines.Scan() {
			var n int
			if _, err := fmt.Sscanf(lines.Text(), "wrote %d", &n); err == nil {
				confirmed, left = wire.Seq(n), left-1
			}
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		for lines.Scan() { // what it confirmed before the signal took it
			if n, err := strconv.Atoi(lines.Text()[min(len(lines.Text()), len("wrote ")):]); err == nil {
				confirmed = max(confirmed, wire.Seq(n))
			}
		}
		_ = cmd.Wait() // killed
		if left > 0 {
			t.Fatalf("round %d: the writer ended by itself", round)
		}
		j := openTest(t, dir, Options{})
		if log == "" {
			log = j.Log()
		}
		if j.Log() != log || len(j.Gaps()) != 0 || j.Last() < confirmed || j.Last() > confirmed+1 {
			t.Fatalf("round %d: log %s last %d gaps %v, want %s, %d or one more, none", round, j.Log(), j.Last(), j.Gaps(), log, confirmed)
		}
		next := wire.Seq(1)
		if err := j.Scan(func(r wire.Record) error {
			if r.Seq != next {
				return fmt.Errorf("record %d where %d was expected", r.Seq, next)
			}
			next++
			return nil
		}); err != nil || next != j.Last()+1 {
			t.Fatalf("round %d: %v, %d records of %d", round, err, next-1, j.Last())
		}
		confirmed = j.Last()
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("12 kills, %d records confirmed, none lost or doubled", confirmed)
}
