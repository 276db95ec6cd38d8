package acceptance

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"gatecast/audio"
	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

// testClip is a clip of the given length that nothing else correlates with: a
// rising tone under noise, loud enough to be accepted.
func testClip(length time.Duration) *audio.PCM {
	const rate = 24000
	n := int(length * rate / time.Second)
	p := &audio.PCM{Format: audio.Format{Rate: rate, Channels: 1}, Samples: make([]float32, n)}
	seed := uint32(2026)
	for i := range n {
		seed = seed*1664525 + 1013904223
		x := float64(i) / rate
		p.Samples[i] = float32(0.25*math.Sin(2*math.Pi*(300*x+120*x*x)) + 0.05*(float64(seed>>8)/(1<<23)-1))
	}
	return p
}

// wavOf writes p as a 16-bit WAV file.
func wavOf(p *audio.PCM) []byte {
	var b bytes.Buffer
	n := uint32(2 * len(p.Samples))
	b.WriteString("RIFF")
	for _, v := range []any{36 + n, []byte("WAVEfmt "), uint32(16), uint16(1), uint16(1), uint32(p.Rate), uint32(2 * p.Rate), uint16(2), uint16(16), []byte("data"), n} {
		_ = binary.Write(&b, binary.LittleEndian, v) // a Buffer never fails
	}
	for _, s := range p.Samples {
		_ = binary.Write(&b, binary.LittleEndian, int16(math.Round(float64(s)*32767)))
	}
	return b.Bytes()
}

// slotsFrom is a programme with n slots of one play, step apart, the first at
// the instant first, in the office's zone.
func slotsFrom(o *office, first time.Time, step time.Duration, n int) string {
	zone, err := time.LoadLocation(o.zone)
	if err != nil {
		o.t.Fatal(err)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "id: gates\nname: 小区日常\nzone: %s\ntargets: {kinds: [gate]}\ndaily_budget: 90m\nslots:\n", o.zone)
	for i := range n {
		at := first.Add(time.Duration(i) * step).In(zone)
		fmt.Fprintf(&b, "  - {key: s%s, name: 段%d, start: \"%d %d %d %d %d *\", duration: %ds, max_plays: 1, playlist: [ding]}\n",
			at.Format("150405"), i+1, at.Second(), at.Minute(), at.Hour(), at.Day(), at.Month(), max(5, int(step.Seconds())))
	}
	return b.String()
}

// soon is the next full second at least d away.
func soon(d time.Duration) time.Time { return time.Now().Add(d + time.Second).Truncate(time.Second) }

func TestFirstPlay(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	clip := testClip(8 * time.Second)
	o.addClip("ding", wavOf(clip))
	g := newGate(t, o, "SL-01-01")
	first := soon(8 * time.Second)
	o.activate(slotsFrom(o, first, 15*time.Second, 1))
	eventually(t, 40*time.Second, func() string {
		if strings.Contains(text(o.get("/")), "已播 1") {
			return ""
		}
		return "the overview does not count the slot as played: " + text(o.get("/"))
	})
	files := g.recordings()
	if len(files) != 1 {
		t.Fatalf("%d recordings, want 1: %v", len(files), files)
	}
	checkRecording(t, clip, files[0])

	g.process.stop(t, 5*time.Second)
	books := o.books()
	rows := today(t, books, "SL-01-01")
	if len(rows) != 1 || rows[0].Verdict != fleet.Played || rows[0].Grade != fleet.GradeB || !rows[0].Demo {
		t.Fatalf("obligations = %+v, want one, played, grade B, marked demo", rows)
	}
	outcome := onlyOutcome(t, g)
	if late := wire.FromUS(outcome.StartedUS).Sub(first).Abs(); late > 50*time.Millisecond {
		t.Errorf("started %s off the planned instant", late)
	}
	if want := int64(8 * 24000); outcome.FramesPlayed < want-1200 || outcome.FramesPlayed > want+1200 || outcome.Result != wire.PlayPlayed {
		t.Errorf("outcome = %+v, want about %d frames played", outcome, want)
	}
}

// onlyOutcome returns the one outcome in a stopped gate's journal.
func onlyOutcome(t *testing.T, g *gate) wire.Outcome {
	t.Helper()
	all := outcomes(t, g.records())
	if len(all) != 1 {
		t.Fatalf("%d outcomes in the journal, want 1: %+v", len(all), all)
	}
	return all[0]
}

func outcomes(t *testing.T, records []wire.Record) []wire.Outcome {
	t.Helper()
	var all []wire.Outcome
	for _, r := range records {
		if r.Kind != wire.RecordOutcome {
			continue
		}
		o, err := fleet.Record{Record: r}.Outcome()
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, o)
	}
	return all
}
