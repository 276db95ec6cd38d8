package acceptance

import (
	"testing"
	"time"
)

func TestJudgeTellsLossesApart(t *testing.T) {
	whole, half := sound{times: 1, length: rivalClip, margin: time.Second}, sound{times: 1, length: rivalClip / 2}
	tests := []struct {
		name                   string
		heard                  sound
		played, partly, failed int
		want                   rivalRow
	}{
		{"told", whole, 1, 0, 0, rivalRow{whole: 1}},
		{"lost", whole, 0, 0, 0, rivalRow{whole: 1, lost: 1, margin: time.Second}},
		{"told_twice", whole, 2, 0, 0, rivalRow{whole: 1, doubled: 1}},
		{"told_as_cut_off", whole, 0, 1, 0, rivalRow{whole: 1, modest: 1}},
		{"told_both_ways", whole, 1, 1, 0, rivalRow{whole: 1, doubled: 1}},
		{"cut_off_and_told", half, 0, 1, 0, rivalRow{cut: 1}},
		{"cut_off_without_a_trace", half, 0, 0, 0, rivalRow{cut: 1, untold: 1}},
		{"cut_off_and_told_as_whole", half, 1, 0, 0, rivalRow{cut: 1, lied: 1}},
		{"silent_and_told", sound{}, 1, 0, 0, rivalRow{invented: 1}},
		{"silent_and_told_as_cut_off", sound{}, 0, 1, 0, rivalRow{}},
		{"lost_to_a_false_word", whole, 0, 0, 1, rivalRow{whole: 1, lost: 1, margin: time.Second}},
		{"cut_off_at_the_first_instant", half, 0, 0, 1, rivalRow{cut: 1}},
		{"silent", sound{}, 0, 0, 0, rivalRow{}},
		{"sounded_twice", sound{times: 2, length: 2 * rivalClip}, 1, 0, 0, rivalRow{whole: 1, twice: 1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			told := newClaims()
			told.played[2], told.partly[2], told.failed[2] = tt.played, tt.partly, tt.failed
			if got := judge(map[int]sound{2: tt.heard}, told, 3); got != tt.want {
				t.Errorf("judge = %+v, want %+v", got, tt.want)
			}
		})
	}
}
