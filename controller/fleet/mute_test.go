package fleet

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatecast/internal/wire"
)

func TestAreaHolds(t *testing.T) {
	above := []UnitID{7, 3, 1} // community, district office, root
	tests := []struct {
		name string
		area Area
		want bool
	}{
		{"nowhere", Area{}, false}, {"everywhere", Area{All: true}, true}, {"its_unit", Area{Units: []UnitID{7}}, true},
		{"a_unit_above", Area{Units: []UnitID{9, 1}}, true}, {"another_unit", Area{Units: []UnitID{8}}, false},
		{"the_point", Area{Points: []PointID{5}}, true}, {"another_point", Area{Points: []PointID{6}}, false},
	}
	for _, tt := range tests {
		if got := tt.area.Holds(5, above); got != tt.want {
			t.Errorf("%s: Holds = %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestSilenceOf(t *testing.T) {
	at := func(m int) time.Time { return time.Date(2026, 11, 23, 7, m, 0, 0, time.UTC) }
	us := func(m int) int64 { return wire.US(at(m)) }
	open := func(n uint64, from int) Mute { return Mute{Number: n, At: at(from)} }
	lifted := func(m Mute, n uint64, when int) Mute { m.Lifted, m.LiftNumber = at(when), n; return m }
	until := func(m Mute, when int) Mute { m.Until = at(when); return m }
	tests := []struct {
		name  string
		mutes []Mute
		want  wire.Mute
	}{
		{"never", nil, wire.Mute{}},
		{"open", []Mute{open(4, 1)}, wire.Mute{Header: wire.Header{Version: 4}, On: true, SinceUS: us(1)}},
		{"lifted", []Mute{lifted(open(4, 1), 5, 2)}, wire.Mute{Header: wire.Header{Version: 5}}},
		{"another_one_still_holds", []Mute{lifted(open(6, 3), 7, 4), open(4, 1)}, wire.Mute{Header: wire.Header{Version: 7}, On: true, SinceUS: us(1)}},
		{"the_later_end_counts", []Mute{until(open(6, 3), 30), until(open(4, 1), 20)}, wire.Mute{Header: wire.Header{Version: 6}, On: true, SinceUS: us(1), UntilUS: us(30)}},
		{"no_end_counts_most", []Mute{open(6, 3), until(open(4, 1), 20)}, wire.Mute{Header: wire.Header{Version: 6}, On: true, SinceUS: us(1)}},
		{"no_end_first", []Mute{until(open(6, 3), 20), open(4, 1)}, wire.Mute{Header: wire.Header{Version: 6}, On: true, SinceUS: us(1)}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, SilenceOf(tt.mutes)); diff != "" {
				t.Errorf("SilenceOf (-want +got):\n%s", diff)
			}
		})
	}
}

func TestSilencedBy(t *testing.T) {
	at := func(m int) time.Time { return time.Date(2026, 11, 23, 7, m, 0, 0, time.UTC) }
	mutes := []Mute{{Number: 9, At: at(30)}, {Number: 4, At: at(10), Lifted: at(20), LiftNumber: 5}}
	for minute, want := range map[int]uint64{5: 0, 9: 4, 15: 4, 25: 4, 29: 9, 40: 9} {
		m, ok := SilencedBy(mutes, at(minute))
		if m.Number != want || ok != (want != 0) {
			t.Errorf("SilencedBy(minute %d) = %d, %v, want %d", minute, m.Number, ok, want)
		}
	}
}
