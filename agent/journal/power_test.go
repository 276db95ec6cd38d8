package journal

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"gatecast/internal/acceptance/outcome"
	"gatecast/internal/lossyfs"
	"gatecast/internal/wire"
)

// powerLife is one journal over many power cuts, and what the test knows of it.
type powerLife struct {
	t     *testing.T
	r     *rand.Rand
	disk  *lossyfs.Disk
	dir   string
	key   deviceKey
	log   wire.LogID
	plays []wire.PlayID // of the records that Append confirmed
	tried wire.PlayID   // of an Append that did not return nil
	last  int           // number of the last play tried
	acked wire.Seq
	loss  lossyfs.Loss
	extra int // records that were there though Append had not returned
}

func newPowerLife(t *testing.T, seed uint64) *powerLife {
	disk, dir := lossyfs.Mounted(t, lossyfs.Options{})
	l := &powerLife{t: t, r: rand.New(rand.NewPCG(seed, 1)), disk: disk, dir: filepath.Join(dir, "journal"), key: newDeviceKey(t)}
	l.open().Close()
	return l
}

func (l *powerLife) options() Options {
	return Options{SegmentBytes: dataStart + maxFrame, MaxBytes: 1 << 30, Sign: l.key}
}

func (l *powerLife) open() *Journal {
	l.t.Helper()
	j, err := Open(l.dir, l.options())
	if err != nil {
		l.t.Fatal(err)
	}
	if l.log == "" {
		l.log = j.Log()
	}
	return j
}

// work appends, acks and reads as the agent does, until the power fails.
func (l *powerLife) work(j *Journal) {
	for {
		switch l.r.IntN(6) {
		case 0:
			if open := int(j.Last() - l.acked); open > 0 {
				l.acked += wire.Seq(1 + l.r.IntN(open))
				if err := j.Ack(wire.Ack{Log: l.log, Upto: l.acked}); err != nil {
					l.t.Fatal(err)
				}
			}
		case 1:
			if _, err := j.Batch(50, 16<<10); err != nil {
				l.t.Fatal(err)
			}
		default:
			l.last++
			l.tried = wire.PlayID(fmt.Sprintf("2026-11-23.gates.noon#%d", l.last))
			kind := wire.RecordIntent
			if l.last%2 == 0 {
				kind = wire.RecordOutcome // checkpoints follow these only
			}
			// Of many sizes, so that frames end in all parts of a sector; hours
			// apart, so that days begin.
			_, err := j.Append(kind, stampAt(100*l.last), wire.Intent{Play: l.tried, Clip: fmt.Sprintf("%0*x", 1+l.r.IntN(600), 0)})
			switch {
			case errors.Is(err, ErrBroken):
				return
			case err != nil:
				l.t.Fatal(err)
			}
			l.plays, l.tried = append(l.plays, l.tried), ""
		}
	}
}

// cut lives once: open, work, lose the power within the n-th change of the
// disk, and look at what is there.
func (l *powerLife) cut(seed uint64) {
	l.t.Helper()
	n := 1 + l.r.IntN(60)
	if n <= 12 { // while it opens, or soon after
		l.disk.FailAfter(n)
		j, err := Open(l.dir, l.options())
		if err == nil {
			l.work(j)
			_ = j.Close() // there is no power
		}
	} else {
		j := l.open()
		l.disk.FailAfter(n)
		l.work(j)
		_ = j.Close()
	}
	loss, err := l.disk.Cut(seed)
	if err != nil {
		l.t.Fatal(err)
	}
	l.loss = l.loss.Add(loss)
	j := l.open()
	defer j.Close()
	if j.Log() != l.log || len(j.Gaps()) > 0 || len(j.Damage()) > 0 {
		l.t.Fatalf("seed %d, change %d: log %s is now %s, gaps %v, damage %v", seed, n, l.log, j.Log(), j.Gaps(), j.Damage())
	}
	if j.Acked() > l.acked {
		l.t.Fatalf("seed %d: acked %d, only %d were", seed, j.Acked(), l.acked)
	}
	l.acked = j.Acked() // the rest is sent once more
	next, seen := wire.Seq(1), 0
	if err := j.Scan(func(rec wire.Record) error {
		if rec.Seq != next {
			return fmt.Errorf("record %d where %d was expected", rec.Seq, next)
		}
		next++
		if rec.Kind == wire.RecordCheckpoint {
			return nil
		}
		var in wire.Intent
		if err := json.Unmarshal(rec.Body, &in); err != nil {
			return err
		}
		if seen == len(l.plays) && in.Play == l.tried {
			l.plays, l.tried, l.extra = append(l.plays, l.tried), "", l.extra+1
		}
		if seen >= len(l.plays) || in.Play != l.plays[seen] {
			return fmt.Errorf("record %d is of play %s, the %d. that was confirmed is another", rec.Seq, in.Play, seen+1)
		}
		seen++
		return nil
	}); err != nil {
		l.t.Fatalf("seed %d, change %d: %v", seed, n, err)
	}
	if lost := len(l.plays) - seen; lost > 0 {
		l.t.Fatalf("seed %d, change %d: %d confirmed records are gone", seed, n, lost)
	}
	if r := verifyFolder(l.t, l.dir); len(r.Faults) > 0 {
		l.t.Fatalf("seed %d, change %d: %+v", seed, n, r.Faults)
	}
	l.tried = ""
}

// TestSurvivesPowerCutsOfTheJournal cuts the power within random writes and
// syncs of a journal, again and again on the same one. Everything that Append
// confirmed is there, in one log without a gap that verifies; nothing is there
// that was not appended.
func TestSurvivesPowerCutsOfTheJournal(t *testing.T) {
	base, cuts := rand.Uint64(), lossyfs.Cuts(t, 160)
	t.Logf("seed %d", base)
	var loss lossyfs.Loss
	records, extra := 0, 0
	for done := 0; done < cuts; {
		l := newPowerLife(t, base+uint64(done))
		for range min(12, cuts-done) { // then a new card: each look reads all of it
			done++
			seed := base + uint64(done)
			if done%4 == 0 {
				seed = 0
			}
			l.cut(seed)
		}
		records, extra, loss = records+len(l.plays), extra+l.extra, loss.Add(l.loss)
	}
	if loss.Bytes == 0 || loss.Names == 0 || extra == 0 {
		t.Errorf("the cuts took %v and left %d unconfirmed records: they prove nothing", loss, extra)
	}
	outcome.Report(t, outcome.Row{
		Fault: "power cut within a write of the journal", FaultZH: "日志写入时断电",
		Tried: cuts, Unit: "cuts", UnitZH: "次", Of: records,
		Note: fmt.Sprintf("lossyfs; the cuts took %v", loss), NoteZH: "lossyfs，撕裂到扇区",
	})
}
