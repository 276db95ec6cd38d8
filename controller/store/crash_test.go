package store

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

// crashEnv makes the test program play the controller that is killed.
const crashEnv = "GATECAST_STORE_CRASH"

const crashDevices = 12

func TestMain(m *testing.M) {
	if path := os.Getenv(crashEnv); path != "" {
		if err := appendForEver(path); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func crashDevice(i int) wire.DeviceID { return wire.DeviceID(fmt.Sprintf("d%d", i)) }

// appendForEver appends for many devices at once and prints every ack as
// "<device> <upto>", and every settled slot as "slot <n>".
func appendForEver(path string) error {
	ctx := context.Background()
	s, err := Open(ctx, path, Options{StateDelay: 5 * time.Millisecond})
	if err != nil {
		return err
	}
	var out sync.Mutex
	say := func(a ...any) {
		out.Lock()
		defer out.Unlock()
		fmt.Println(a...)
	}
	failed := make(chan error, crashDevices+1)
	for i := range crashDevices {
		go func() {
			for {
				ack, err := s.AckState(ctx, crashDevice(i), testLog)
				if err != nil {
					failed <- err
					return
				}
				var batch []json.RawMessage
				for k := range rand.N(9) + 1 {
					batch = append(batch, crashRecord(ack.Upto+1+wire.Seq(k)))
				}
				if _, err := s.AppendRecords(ctx, crashDevice(i), testLog, batch, time.Now()); err != nil {
					failed <- err
					return
				}
				if ack, err = s.AckState(ctx, crashDevice(i), testLog); err != nil {
					failed <- err
					return
				}
				say(i, ack.Upto)
				if _, err := s.SaveState(ctx, crashDevice(i), wire.State{Session: 1, LastSeq: ack.Upto}, time.Now()); err != nil {
					failed <- err
					return
				}
			}
		}()
	}
	go func() { // obligations come and are settled meanwhile
		for n := 0; ; n++ {
			now := t0.AddDate(0, 0, n)
			o := owe(1, "morning", "早", now.Add(time.Hour))
			if _, err := s.PutObligations(ctx, fleet.PlanWindow{Points: []fleet.PointID{1}, From: now, To: now.AddDate(0, 0, 1)}, []fleet.Obligation{o}, now); err != nil {
				failed <- err
				return
			}
			if _, err := s.Settle(ctx, []fleet.Settlement{{Point: 1, Slot: o.Slot, Verdict: fleet.Played}}, now); err != nil {
				failed <- err
				return
			}
			say("slot", o.Slot)
		}
	}()
	return <-failed
}

func crashRecord(seq wire.Seq) json.RawMessage {
	return json.RawMessage(fmt.Sprintf(`{"log":%q,"seq":%d,"kind":"outcome","body":{"play":"a.b.c#%d","slot":"a.b.c","result":"played","detail":%q}}`,
		testLog, seq, seq, strings.Repeat("x", int(seq)%700)))
}

// TestWhatWasAckedSurvivesKill kills a busy controller at random moments and
// looks for everything that it had acked before.
func TestWhatWasAckedSurvivesKill(t *testing.T) {
	path := filepath.Join(t.TempDir(), "gatecast.db")
	s, err := Open(t.Context(), path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range importTest(t, s, crashDevices) {
		enrolTest(t, s, p.ID, crashDevice(i), t0)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	rounds := 12
	if testing.Short() {
		rounds = 2
	}
	for round := range rounds {
		acked, slots := killAfter(t, path, 50+rand.N(500))
		s, err := Open(t.Context(), path, Options{})
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		for i, upto := range acked {
			ack, err := s.AckState(t.Context(), crashDevice(i), testLog)
			if err != nil || ack.Upto < upto || len(ack.Missing) > 0 {
				t.Errorf("round %d: device %d was acked %d, now %+v, %v", round, i, upto, ack, err)
			}
			recs, err := s.LastRecords(t.Context(), crashDevice(i), 1<<30)
			if err != nil || wire.Seq(len(recs)) != ack.Upto {
				t.Errorf("round %d: device %d has %d records of %d, %v", round, i, len(recs), ack.Upto, err)
			}
			for _, r := range recs {
				if string(r.Raw) != string(crashRecord(r.Seq)) {
					t.Errorf("round %d: device %d: record %d is %s", round, i, r.Seq, r.Raw)
				}
			}
		}
		for _, slot := range slots {
			if o, err := s.Obligation(t.Context(), 1, slot); err != nil || o.Verdict != fleet.Played {
				t.Errorf("round %d: slot %q was settled, now %q, %v", round, slot, o.Verdict, err)
			}
		}
		if err := s.Check(t.Context()); err != nil {
			t.Errorf("round %d: %v", round, err)
		}
		t.Logf("round %d: %d devices acked, %d slots settled", round, len(acked), len(slots))
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// killAfter runs the controller until it has printed so many lines, kills it
// and returns the last ack of each device and the slots that were settled.
func killAfter(t *testing.T, path string, lines int) (map[int]wire.Seq, []wire.SlotID) {
	t.Helper()
	child := exec.CommandContext(t.Context(), os.Args[0])
	child.Env = append(os.Environ(), crashEnv+"="+path)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	acked, slots := map[int]wire.Seq{}, []wire.SlotID(nil)
	scan := bufio.NewScanner(out)
	for n := 0; scan.Scan(); n++ {
		if n == lines {
			if err := child.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			// What is in the pipe was acked too: read on to its end.
		}
		who, what, ok := strings.Cut(scan.Text(), " ")
		if !ok {
			continue
		}
		if who == "slot" {
			slots = append(slots, wire.SlotID(what))
			continue
		}
		i, err1 := strconv.Atoi(who)
		upto, err2 := strconv.ParseUint(what, 10, 64)
		if err := errors.Join(err1, err2); err != nil {
			t.Fatalf("line %q: %v", scan.Text(), err)
		}
		acked[i] = max(acked[i], wire.Seq(upto))
	}
	var died *exec.ExitError
	if err := child.Wait(); !errors.As(err, &died) || died.ExitCode() != -1 {
		t.Fatalf("the controller ended by itself: %v", err)
	}
	return acked, slots
}
