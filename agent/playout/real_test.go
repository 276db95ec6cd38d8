package playout

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"math"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"gatecast/agent/condition"
	"gatecast/agent/journal"
	"gatecast/agent/library"
	"gatecast/agent/walltime"
	"gatecast/audio"
	"gatecast/audio/decode"
	"gatecast/audio/encode"
	"gatecast/audio/output"
	"gatecast/internal/wire"
)

// oneClip is a Fetcher of one file.
type oneClip []byte

func (c oneClip) Fetch(_ context.Context, _ string, offset int64) (io.ReadCloser, int64, error) {
	return io.NopCloser(bytes.NewReader(c[offset:])), int64(len(c)), nil
}

// TestRealPartsPlayIntoAFile runs the engine with the real clock, library,
// journal and file sink in real time: two plays of a second each.
func TestRealPartsPlayIntoAFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	pcm := &audio.PCM{Format: audio.Format{Rate: 24_000, Channels: 1}, Samples: make([]float32, 24_000)}
	for i := range pcm.Samples {
		pcm.Samples[i] = float32(0.25 * math.Sin(float64(i)/9))
	}
	data, err := encode.FLAC(pcm)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(data)
	clip := wire.ManifestClip{SHA256: hex.EncodeToString(sum[:]), Title: "tone", Bytes: int64(len(data)), Rate: 24_000, Frames: 24_000, GainDB: -6.0206}
	lib, err := library.Open(filepath.Join(dir, "clips"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := lib.Sync(t.Context(), []wire.ManifestClip{clip}, oneClip(data)); err != nil {
		t.Fatal(err)
	}
	clock, err := walltime.Open(dir, walltime.Options{})
	if err != nil {
		t.Fatal(err)
	}
	clock.Trust(wire.US(time.Now()), 0)
	j, err := journal.Open(filepath.Join(dir, "journal"), journal.Options{Now: clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	sink, err := output.Open(output.File, filepath.Join(dir, "wav"), output.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer sink.Close()

	start := clock.Now().Wall.Add(3 * time.Second).Truncate(time.Second)
	man := testManifest()
	man.Clips = []wire.ManifestClip{clip}
	plan := testPlan(wire.PlanSlot{
		ID: "2026-11-23.demo.first", Name: "演示", StartS: start.Unix(), EndS: start.Unix() + 4, EveryS: 2, Count: 2, Playlist: []int{0}, GraceS: 1,
	})
	plan.Clips, plan.FromS, plan.HorizonS, plan.IssuedUS = []string{clip.SHA256}, start.Unix()-60, start.Unix()+3600, wire.US(start)-60_000_000
	engine, err := New(Options{
		Clock: clock, Plan: func() (*wire.Plan, *wire.Manifest, bool) { return plan, man, true },
		Library: lib, Journal: j, Sink: sink, Conditions: condition.New(nil), Progress: filepath.Join(dir, "progress"),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithDeadline(t.Context(), clock.At(start.Add(3500*time.Millisecond)))
	defer cancel()
	var wg sync.WaitGroup
	wg.Go(func() { clock.Run(ctx) })
	if err := engine.Run(ctx); err != nil {
		t.Fatal(err)
	}
	wg.Wait()

	var outcomes []wire.Outcome
	if err := j.Scan(func(r wire.Record) error {
		if r.Kind != wire.RecordOutcome {
			return nil
		}
		var o wire.Outcome
		outcomes = append(outcomes, o)
		return json.Unmarshal(r.Body, &outcomes[len(outcomes)-1])
	}); err != nil {
		t.Fatal(err)
	}
	if len(outcomes) != 2 {
		t.Fatalf("outcomes = %+v, want two", outcomes)
	}
	for i, o := range outcomes {
		if o.Result != wire.PlayPlayed || !o.Demo || o.Sink != output.File || o.Frames != 24_000 || o.FramesPlayed != 24_000 {
			t.Errorf("outcome %d = %+v", i, o)
		}
		t.Logf("play %d started %d µs after its instant", i+1, o.StartedUS-o.PlannedUS)
		if late := o.StartedUS - o.PlannedUS; late < -1000 || late > 500_000 {
			t.Errorf("play %d started %d µs after its instant", i+1, late)
		}
		wav, err := os.ReadFile(o.Path)
		if err != nil {
			t.Fatal(err)
		}
		got, _, err := decode.Decode(t.Context(), wav, decode.Limits{})
		if err != nil || got.Frames() != 24_000 {
			t.Fatalf("%s: %d frames, %v", o.Path, got.Frames(), err)
		}
		for k := 1000; k < 23_000; k++ { // between the fades
			if d := got.Samples[k] - pcm.Samples[k]/2; d > 1e-3 || d < -1e-3 {
				t.Fatalf("sample %d = %v, want %v", k, got.Samples[k], pcm.Samples[k]/2)
			}
		}
	}
}
