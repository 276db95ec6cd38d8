package store

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gatecast/controller/fleet"
	faults "gatecast/internal/acceptance/outcome"
	"gatecast/internal/lossyfs"
	"gatecast/internal/wire"
)

// powerMark stands before the database in the arguments of the process that
// uses it: SQLite maps files, which the process that serves them must not.
const powerMark = "use-until-dark"

const powerDevices = 3

// powerLife is one database over many power cuts, and what was confirmed.
type powerLife struct {
	t       *testing.T
	path    string
	acked   [powerDevices]wire.Seq
	tried   [powerDevices]wire.Seq
	settled int // days, each with one slot
}

// TestPowerWorker is no test: it is the process that uses the database of
// TestSurvivesPowerCutsOfTheStore. It answers each line on its input by one.
func TestPowerWorker(t *testing.T) {
	if flag.NArg() != 2 || flag.Arg(0) != powerMark {
		return
	}
	var l *powerLife
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		switch in.Text() {
		case "new":
			l = &powerLife{t: t, path: flag.Arg(1)}
			s := l.open()
			for i, p := range importTest(t, s, powerDevices) {
				enrolTest(t, s, p.ID, crashDevice(i), t0)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			fmt.Println("\nmade")
		case "use":
			fmt.Println("\nused", l.use())
		case "look":
			fmt.Println("\nseen", l.look())
		}
	}
}

func (l *powerLife) open() *Store {
	l.t.Helper()
	s, err := Open(l.t.Context(), l.path, Options{StateDelay: time.Millisecond})
	if err != nil {
		l.t.Fatal(err)
	}
	return s
}

// use appends, settles and says what the controller's packages do, until the
// disk fails or it has done enough and closes. It returns what it ended with.
func (l *powerLife) use() error {
	ctx := l.t.Context()
	s, err := Open(ctx, l.path, Options{StateDelay: time.Millisecond})
	if err != nil {
		return err
	}
	err = func() error {
		for range 2 + rand.N(20) {
			i := rand.N(powerDevices)
			var batch []json.RawMessage
			for k := range rand.N(9) + 1 {
				l.tried[i] = l.acked[i] + wire.Seq(k) + 1
				batch = append(batch, crashRecord(l.tried[i]))
			}
			if _, err := s.AppendRecords(ctx, crashDevice(i), testLog, batch, time.Now()); err != nil {
				return err
			}
			ack, err := s.AckState(ctx, crashDevice(i), testLog)
			if err != nil {
				return err
			}
			l.acked[i] = ack.Upto
			if _, err := s.SaveState(ctx, crashDevice(i), wire.State{Session: 1, LastSeq: ack.Upto}, time.Now()); err != nil {
				return err
			}
			if rand.N(4) > 0 {
				continue
			}
			o, now := l.slot(l.settled)
			if _, err := s.PutObligations(ctx, fleet.PlanWindow{Points: []fleet.PointID{1}, From: now, To: now.AddDate(0, 0, 1)}, []fleet.Obligation{o}, now); err != nil {
				return err
			}
			if _, err := s.Settle(ctx, []fleet.Settlement{{Point: 1, Slot: o.Slot, Verdict: fleet.Played}}, now); err != nil {
				return err
			}
			l.settled++
		}
		return nil
	}()
	if cerr := s.Close(); err == nil {
		err = cerr // the log is copied into the database
	}
	return err
}

func (l *powerLife) slot(day int) (fleet.Obligation, time.Time) {
	now := t0.AddDate(0, 0, day)
	return owe(1, "morning", "早", now.Add(time.Hour)), now
}

// look opens what the cut left and returns how many records and verdicts there
// are; what was confirmed and is not there, or was never given, ends the test.
func (l *powerLife) look() int {
	s := l.open()
	defer s.Close()
	ctx := l.t.Context()
	n := 0
	for i := range powerDevices {
		ack, err := s.AckState(ctx, crashDevice(i), testLog)
		if err != nil || ack.Upto < l.acked[i] || ack.Upto > l.tried[i] || len(ack.Missing) > 0 {
			l.t.Fatalf("device %d was acked %d and sent %d, now %+v, %v", i, l.acked[i], l.tried[i], ack, err)
		}
		recs, err := s.LastRecords(ctx, crashDevice(i), 1<<30)
		if err != nil || wire.Seq(len(recs)) != ack.Upto {
			l.t.Fatalf("device %d has %d records of %d, %v", i, len(recs), ack.Upto, err)
		}
		for _, r := range recs {
			if string(r.Raw) != string(crashRecord(r.Seq)) {
				l.t.Fatalf("device %d: record %d is %s", i, r.Seq, r.Raw)
			}
		}
		l.acked[i], l.tried[i] = ack.Upto, ack.Upto
		n += len(recs)
	}
	for day := range l.settled {
		want, _ := l.slot(day)
		if o, err := s.Obligation(ctx, 1, want.Slot); err != nil || o.Verdict != fleet.Played {
			l.t.Fatalf("slot %q was settled, now %q, %v", want.Slot, o.Verdict, err)
		}
		n++
	}
	if err := s.Check(ctx); err != nil {
		l.t.Fatal(err)
	}
	return n
}

// worker is the process that uses the database.
type worker struct {
	t   *testing.T
	in  io.WriteCloser
	out *bufio.Scanner
}

func newWorker(t *testing.T, path string) *worker {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestPowerWorker$", "-test.count=1", powerMark, path)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close() // it ends
		_ = cmd.Wait()
	})
	return &worker{t: t, in: in, out: bufio.NewScanner(out)}
}

// ask sends a command and returns the answer after its first word.
func (w *worker) ask(command, answer string) string {
	w.t.Helper()
	if _, err := fmt.Fprintln(w.in, command); err != nil {
		w.t.Fatal(err)
	}
	var said []string
	for w.out.Scan() {
		if rest, ok := strings.CutPrefix(w.out.Text(), answer); ok {
			return strings.TrimSpace(rest)
		}
		said = append(said, w.out.Text())
	}
	w.t.Fatalf("%s: %s", command, strings.Join(said, "\n"))
	return ""
}

// TestSurvivesPowerCutsOfTheStore cuts the power within random writes and syncs
// of a database, also while it is opened, recovered, and closed. Everything
// that was acked or settled is there afterwards, nothing is there that was
// never given, and SQLite finds the file whole.
func TestSurvivesPowerCutsOfTheStore(t *testing.T) {
	base, cuts := rand.Uint64(), lossyfs.Cuts(t, 40)
	t.Logf("seed %d", base)
	r := rand.New(rand.NewPCG(base, 2))
	var loss lossyfs.Loss
	checked, within := 0, 0
	for done := 0; done < cuts; {
		disk, dir := lossyfs.Mounted(t, lossyfs.Options{})
		w := newWorker(t, filepath.Join(dir, "gatecast.db"))
		w.ask("new", "made")
		disk.Sync()
		seen := 0
		for range min(20, cuts-done) { // then a new disk: each look reads all of it
			done++
			failed := disk.FailAfter(1 + r.IntN(1+r.IntN(400)))
			w.ask("use", "used")
			select {
			case <-failed:
				within++
			default: // it closed before that
			}
			seed := base + uint64(done)
			if done%4 == 0 {
				seed = 0
			}
			l, err := disk.Cut(seed)
			if err != nil {
				t.Fatal(err)
			}
			loss = loss.Add(l)
			if _, err := fmt.Sscan(w.ask("look", "seen"), &seen); err != nil {
				t.Fatal(err)
			}
		}
		checked += seen
	}
	if loss.Bytes == 0 || within < cuts/4 {
		t.Errorf("the cuts took %v, %d within a change: they prove nothing", loss, within)
	}
	faults.Report(t, faults.Row{
		Fault: "power cut within a write of the database", FaultZH: "数据库写入时断电",
		Tried: cuts, Unit: "cuts", UnitZH: "次", Of: checked,
		Note: fmt.Sprintf("lossyfs; the cuts took %v", loss), NoteZH: "lossyfs，撕裂到扇区",
	})
}
