package acceptance

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gatecast/audio"
	"gatecast/controller/fleet"
	"gatecast/controller/store"
	"gatecast/internal/soundcheck"
	"gatecast/internal/wire"
)

func bodyOf[T any](t *testing.T, r wire.Record) (v T) {
	t.Helper()
	if err := json.Unmarshal(r.Body, &v); err != nil {
		t.Fatalf("record %d (%s): %v", r.Seq, r.Kind, err)
	}
	return v
}

// formOf is the form with which a programme is uploaded.
func formOf(yaml string) url.Values { return url.Values{"yaml": {yaml}} }

// chunk is how far a killed agent's recording may be ahead of its last moment.
const chunk = 60 * time.Millisecond

// truth is what a comparison of verdicts and recordings found.
type truth struct {
	tally
	played, partial, missed, other int
	modest                         int // sounded whole, and the books say part of it: nobody lived to see the end
}

func (v truth) String() string {
	return fmt.Sprintf("%d played, %d partly, %d not, %d open; %d sounded more than is claimed, none less", v.played, v.partial, v.missed, v.other, v.modest)
}

func (v truth) zh() string {
	return fmt.Sprintf("已播 %d、部分播 %d、未播 %d、待定 %d；实际比台账多响 %d 次，从不少响", v.played, v.partial, v.missed, v.other, v.modest)
}

// trueVerdicts checks every verdict of the day against the recordings that lie
// on the disk: a slot of one play sounded as far as its verdict says, and at
// most once. A false verdict counts as lost, a second sounding as doubled.
func trueVerdicts(t *testing.T, books *store.Store, gates []*gate, clip *audio.PCM) (v truth) {
	t.Helper()
	whole := audio.Frames(clip.Frames()).Duration(clip.Rate)
	for _, g := range gates {
		d, err := books.Device(t.Context(), g.device())
		if err != nil {
			t.Fatal(err)
		}
		rows, err := books.Obligations(t.Context(), fleet.ObligationFilter{Point: d.Point})
		if err != nil {
			t.Fatal(err)
		}
		heard := recorded(t, g)
		claims := map[wire.SlotID]time.Duration{}
		for _, o := range outcomes(t, g.records()) {
			claims[o.Slot] = time.Duration(o.SoundMS) * time.Millisecond
		}
		v.of += len(rows)
		for i, row := range rows {
			end := row.End
			if i+1 < len(rows) {
				end = rows[i+1].Start
			}
			// A recording is called after the machine's clock; the device's own,
			// which the office sets, may differ by the time of a message.
			const early = time.Second
			var sound time.Duration
			times := 0
			for _, r := range heard {
				if !r.at.Before(row.Start.Add(-early)) && r.at.Before(end.Add(-early)) && r.length > 0 {
					sound, times = sound+r.length, times+1
				}
			}
			if times > 1 {
				v.doubled++
				t.Errorf("%s sounded %d times at %d", row.Slot, times, d.Point)
			}
			claim := claims[row.Slot]
			untrue := ""
			switch row.Verdict {
			case fleet.Played:
				v.played++
				if sound < whole-chunk {
					untrue = "played"
				}
			case fleet.Partial:
				v.partial++
				if claim > sound+chunk {
					untrue = fmt.Sprintf("partly played, %s of it", claim)
				}
			case fleet.Missed:
				v.missed++
				if sound > 0 && !(g.forgets && row.Reason == wire.ReasonExit && sound < time.Second+chunk) {
					untrue = "not played"
				}
			default:
				v.other++
				untrue = string(row.Verdict)
			}
			if untrue != "" {
				v.lost++
				t.Errorf("%s at %d is %s (%s %s), and its recording lasts %s of %s", row.Slot, d.Point, untrue, row.Reason, row.Note, sound, whole)
			}
			if sound > claim+time.Second+chunk {
				v.modest++
			}
		}
	}
	return v
}

// recording is one WAV of a gate: when it began and how long it sounds.
type recording struct {
	at     time.Time
	length time.Duration
}

func recorded(t *testing.T, g *gate) (all []recording) {
	t.Helper()
	for _, file := range g.recordings() {
		stem := strings.TrimSuffix(filepath.Base(file), ".wav")
		at, err := time.ParseInLocation("20060102-150405.000", stem[:min(len(stem), 19)], time.Local)
		if err != nil {
			t.Fatal(err)
		}
		r := recording{at: at}
		if info, err := os.Stat(file); err != nil {
			t.Fatal(err)
		} else if info.Size() > 44 {
			pcm, err := soundcheck.ReadWAV(file)
			if err != nil {
				t.Fatal(err)
			}
			r.length = audio.Frames(pcm.Frames()).Duration(pcm.Rate)
		}
		all = append(all, r)
	}
	slices.SortFunc(all, func(a, b recording) int { return a.at.Compare(b.at) })
	return all
}
