package fleet

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestShareOfCountsEachPlayOnce(t *testing.T) {
	tests := []struct {
		name    string
		planned []PlannedPlays
		want    Share
		percent int
	}{
		{"nothing", nil, Share{}, 0},
		{"each_audience", []PlannedPlays{{AudienceAdults, 5}, {AudienceElderly, 3}, {AudienceEveryone, 1}, {AudienceStudents, 1}}, Share{10, 5, 6}, 60},
		{"several_tags", []PlannedPlays{{"学生/家长、20–50岁", 2}, {"老年、通用", 1}, {"", 1}}, Share{4, 2, 3}, 75},
		{"other_dashes", []PlannedPlays{{"20-50", 1}, {"20—50岁", 1}, {"120–50岁", 1}}, Share{3, 2, 2}, 66},
		{"never_rounded_up", []PlannedPlays{{AudienceAdults, 5999}, {AudienceElderly, 4001}}, Share{10000, 5999, 5999}, 59},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := ShareOf(tt.planned)
			percent, ok := got.Percent()
			if got != tt.want || percent != tt.percent || ok != (tt.want.Plays > 0) {
				t.Errorf("ShareOf = %+v, %d%%, %v, want %+v, %d%%", got, percent, ok, tt.want, tt.percent)
			}
		})
	}
}

func TestSplitCoversAllOfARecording(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		length := time.Duration(rapid.Int64Range(1, int64(time.Hour)).Draw(t, "length"))
		most := time.Duration(rapid.Int64Range(int64(time.Second), int64(10*time.Minute)).Draw(t, "most"))
		parts := Split(length, most)
		var at time.Duration
		for _, p := range parts {
			if p.From != at || p.To <= p.From && length > time.Duration(len(parts))*time.Second || p.To-p.From > most+time.Second {
				t.Fatalf("Split(%v, %v): part %+v after %v", length, most, p, at)
			}
			at = p.To
		}
		if at != length {
			t.Fatalf("Split(%v, %v) ends at %v", length, most, at)
		}
	})
	if got := Split(40*time.Minute+12*time.Second, 3*time.Minute); len(got) != 14 {
		t.Errorf("40 min 12 s in parts of 3 min: %d parts", len(got))
	}
	for _, bad := range []time.Duration{0, -1, time.Millisecond} {
		if got := Split(time.Minute, bad); got != nil {
			t.Errorf("Split(1m, %v) = %v", bad, got)
		}
	}
}

func TestWindowsThatAreTooShort(t *testing.T) {
	w := Week{Windows: []Window{{450, 480}, {1080, 1110}, {1200, 1260}}}
	if diff := cmp.Diff([]Window{{450, 480}, {1080, 1110}}, w.TooShortFor(40.2)); diff != "" {
		t.Error(diff)
	}
	if got := w.TooShortFor(30); got != nil {
		t.Errorf("TooShortFor(30) = %v", got)
	}
}

func TestTopicNamesARecording(t *testing.T) {
	if id, ok := ReelTopic(12).Reel(); !ok || id != 12 {
		t.Errorf("Reel() = %d, %v", id, ok)
	}
	for _, bad := range []Topic{"", TopicVoice, "reel/", "reel/x", "reel/-1"} {
		if _, ok := bad.Reel(); ok {
			t.Errorf("%q names a recording", bad)
		}
	}
}
