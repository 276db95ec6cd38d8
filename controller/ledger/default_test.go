package ledger

import (
	"testing"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

// defaults are plays of a stale plan: its default clip of clipMS in place of
// clips of 27 s.
func defaults(first, n int, clipMS, soundMS int64) []wire.Outcome {
	result := wire.PlayPlayed
	if soundMS < clipMS {
		result = wire.PlayPartial
	}
	all := plays(first, n, result, "", soundMS)
	for i := range all {
		all[i].Default, all[i].ClipMS = true, clipMS
	}
	return all
}

func TestDefaultClipCountsAsThePlayItReplaced(t *testing.T) {
	late := start.Add(30*time.Minute + Grace)
	heard := DeviceView{ID: "d1", Bound: true, Online: true, HasPlan: true, ReportedTo: late}
	planned := plays(1, 6, wire.PlayPlayed, "", 27000)
	tests := map[string]struct {
		outcomes []wire.Outcome
		verdict  fleet.Verdict
		soundMS  int64
		note     string
	}{
		"planned":          {planned, fleet.Played, 162_000, ""},
		"shorter":          {defaults(1, 6, 15_000, 15_000), fleet.Played, 90_000, fleet.NoteDefaultClip},
		"longer":           {defaults(1, 6, 60_000, 60_000), fleet.Played, 360_000, fleet.NoteDefaultClip},
		"four_long_ones":   {defaults(1, 4, 60_000, 60_000), fleet.Partial, 240_000, fleet.NoteDefaultClip},
		"half_of_each":     {defaults(1, 6, 60_000, 30_000), fleet.Partial, 180_000, fleet.NoteDefaultClip},
		"some":             {join(planned[:3], defaults(4, 3, 15_000, 15_000)), fleet.Played, 126_000, fleet.NoteDefaultClip},
		"nothing_sounded":  {defaults(1, 6, 15_000, 0), fleet.Partial, 0, ""},
		"length_not_known": {defaults(1, 6, 0, 20_000), fleet.Partial, 120_000, fleet.NoteDefaultClip},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			d := Decide(owed(), tt.outcomes, heard, late)
			if d.Verdict != tt.verdict || d.SoundMS != tt.soundMS || d.Note != tt.note {
				t.Errorf("Decide = %s, %d ms, %q, want %s, %d ms, %q", d.Verdict, d.SoundMS, d.Note, tt.verdict, tt.soundMS, tt.note)
			}
		})
	}
}
