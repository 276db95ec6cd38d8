package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"gatecast/agent/journal"
	"gatecast/agent/walltime"
	"gatecast/internal/evidence"
	"gatecast/internal/wire"
)

// dayPlays is the day that the figure of bytes written is for: three slots of
// a gate.
const dayPlays = 50

// benchKey signs checkpoints as a device does.
type benchKey struct{ *ecdsa.PrivateKey }

// Checkpoint implements journal.Signer.
func (k benchKey) Checkpoint(r wire.Record, after *wire.LogEnd) (json.RawMessage, error) {
	return evidence.Checkpoint(r, after, k)
}

// vouchKiB measures what a day's signatures add to what a journal writes to
// the card: the same day of records with checkpoints and a receipt, and
// without, on the disk of dir.
func vouchKiB(dir string) (kib float64, checkpoints int, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return 0, 0, fmt.Errorf("drawing a key: %w", err)
	}
	plain, _, err := writeDay(filepath.Join(dir, "plain"), nil)
	if err != nil {
		return 0, 0, err
	}
	signed, checkpoints, err := writeDay(filepath.Join(dir, "signed"), benchKey{key})
	return float64(signed-plain) / 1024, checkpoints, err
}

// writeDay appends two days of records and returns what the second one
// dirtied, in bytes, and how many checkpoints it has. With a signer it keeps a
// receipt, too.
func writeDay(dir string, sign journal.Signer) (bytes int64, checkpoints int, err error) {
	at := walltime.Stamp{Wall: time.Date(2026, 11, 22, 7, 0, 0, 0, time.UTC), BootID: "bench", Level: wire.T2}
	j, err := journal.Open(dir, journal.Options{Sign: sign, Now: func() walltime.Stamp { return at }})
	if err != nil {
		return 0, 0, err
	}
	defer j.Close()
	var before account
	for day := range 2 {
		if before, err = accountOf(os.Getpid()); err != nil {
			return 0, 0, err
		}
		if err := appendDay(j, at, day, sign != nil); err != nil {
			return 0, 0, err
		}
		at.Wall = at.Wall.AddDate(0, 0, 1)
	}
	after, err := accountOf(os.Getpid())
	if err != nil {
		return 0, 0, err
	}
	first := at.Wall.AddDate(0, 0, -1)
	err = j.Scan(func(r wire.Record) error {
		if r.Kind == wire.RecordCheckpoint && !wire.FromUS(r.AtUS).Before(first) {
			checkpoints++
		}
		return nil
	})
	return after.written - before.written, checkpoints, err
}

func appendDay(j *journal.Journal, at walltime.Stamp, day int, receipt bool) error {
	slot := wire.SlotID(at.Wall.Format(time.DateOnly) + ".default.morning")
	clip := strings.Repeat("a", 64)
	for n := range dayPlays {
		at.Wall, at.Mono = at.Wall.Add(5*time.Minute), time.Duration(day)*24*time.Hour+time.Duration(n)*5*time.Minute
		play := wire.PlayID(fmt.Sprintf("%s#%d", slot, n+1))
		planned := wire.US(at.Wall)
		seq, err := j.Append(wire.RecordIntent, at, wire.Intent{Play: play, Slot: slot, Plan: 218, Clip: clip, PlannedUS: planned})
		if err != nil {
			return err
		}
		if _, err := j.Append(wire.RecordOutcome, at, wire.Outcome{
			Play: play, Slot: slot, Plan: 218, Clip: clip, PlannedUS: planned, IntentSeq: seq, Result: wire.PlayPlayed, StartedUS: planned,
			ElapsedMS: 25_010, SoundMS: 25_000, ClipMS: 25_000, Frames: 600_000, FramesWritten: 600_000, FramesPlayed: 600_000, Rate: 24_000,
			Sink: "alsa", Device: "hw:CARD=Device", Mixer: "Speaker 60%", End: "drained",
		}); err != nil {
			return err
		}
	}
	if !receipt {
		return nil
	}
	envelope, err := json.Marshal(strings.Repeat("r", 800)) // as long as a receipt
	if err != nil {
		return err
	}
	_, err = j.Append(wire.RecordReceipt, at, wire.ReceiptKept{Number: uint64(day + 1), Envelope: envelope})
	return err
}
