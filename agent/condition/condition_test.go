package condition

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"gatecast/internal/wire"
)

var noon = time.Date(2026, 11, 23, 4, 0, 0, 0, time.UTC)

func TestFaultIsListedOnceItHasLasted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := New(func() time.Time { return noon })
		r.Set(LinkDown, "mqtt.example:8883")
		if got := r.List(); len(got) != 0 {
			t.Errorf("at once: %v", got)
		}
		time.Sleep(59 * time.Second)
		r.Set(LinkDown, "mqtt.example:8883") // still
		if got := r.List(); len(got) != 0 {
			t.Errorf("after 59 s: %v", got)
		}
		time.Sleep(time.Second)
		want := []wire.Condition{{Code: "link_down", Severity: "warn", SinceUS: wire.US(noon), Detail: "mqtt.example:8883"}}
		if diff := cmp.Diff(want, r.List()); diff != "" {
			t.Errorf("after a minute (-want +got):\n%s", diff)
		}
		r.Clear(LinkDown)
		r.Set(LinkDown, "")
		if got := r.List(); len(got) != 0 {
			t.Errorf("a new fault starts anew: %v", got)
		}
	})
}

func TestWorstComesFirst(t *testing.T) {
	r := New(nil)
	r.Set(PlanEnding, "")
	r.Set(DiskFull, "")
	r.Set(ClipCorrupt, "clip")
	r.Set(PlanRefused, "why")
	r.Set("of_a_later_version", "")
	var codes []string
	for _, c := range r.List() {
		codes = append(codes, c.Code)
	}
	want := []string{"disk_full", "plan_refused", "clip_corrupt", "of_a_later_version", "plan_ending"}
	if diff := cmp.Diff(want, codes); diff != "" {
		t.Errorf("codes (-want +got):\n%s", diff)
	}
}

func TestEveryCodeHasATrait(t *testing.T) {
	for _, c := range []Code{
		ClockUntrusted, ClockDisputed, NoPlan, PlanEnding, PlanOver, PlanRefused, ClipMissing, ClipCorrupt,
		OutputFault, OutputMuted, JournalFault, JournalDamaged, RecordsDisputed, CardFailing, DiskFull, LinkDown, CertExpiring,
	} {
		if tr, ok := traits[c]; !ok || rank(string(tr.severity)) < 0 {
			t.Errorf("code %q has trait %+v", c, tr)
		}
	}
}

func TestChangedSignalsChangesOnly(t *testing.T) {
	r := New(nil)
	changed := func() bool {
		select {
		case <-r.Changed():
			return true
		default:
			return false
		}
	}
	steps := []struct {
		name string
		do   func()
		want bool
	}{
		{"clear_nothing", func() { r.Clear(DiskFull) }, false},
		{"set", func() { r.Set(DiskFull, "a") }, true},
		{"set_again", func() { r.Set(DiskFull, "a") }, false},
		{"new_detail", func() { r.Set(DiskFull, "b") }, true},
		{"clear", func() { r.Clear(DiskFull) }, true},
		{"two_merge_into_one", func() { r.Set(DiskFull, "a"); r.Clear(DiskFull) }, true},
		{"none_left", func() {}, false},
	}
	for _, tt := range steps {
		if tt.do(); changed() != tt.want {
			t.Errorf("%s: signalled %v, want %v", tt.name, !tt.want, tt.want)
		}
	}
}

func TestDetailIsOneShortLine(t *testing.T) {
	r := New(nil)
	r.Set(DiskFull, "a\nb\tc \xff"+strings.Repeat("门", 200))
	d := r.List()[0].Detail
	if len(d) > maxDetail || !utf8.ValidString(d) || !strings.HasPrefix(d, "a b c ?门") || !strings.HasSuffix(d, "门…") {
		t.Errorf("detail %q of %d bytes", d, len(d))
	}
}
