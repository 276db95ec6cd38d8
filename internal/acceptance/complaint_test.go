package acceptance

import (
	"fmt"
	"math"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"gatecast/agent"
	"gatecast/controller/fleet"
	"gatecast/internal/soundcheck"
	"gatecast/internal/wire"
)

// loudness returns the level of a recording at its beginning and at its end, in
// dB below full scale.
func loudness(t *testing.T, file string) (head, tail float64) {
	t.Helper()
	rec, err := soundcheck.ReadWAV(file)
	if err != nil {
		t.Fatal(err)
	}
	from, to := -1, 0
	for i, v := range rec.Samples {
		if math.Abs(float64(v)) > 0.01 {
			if to = i; from < 0 {
				from = i
			}
		}
	}
	second := rec.Rate * rec.Channels
	if to-from < 3*second {
		t.Fatalf("%s has %d samples of sound", file, to-from)
	}
	level := func(p []float32) float64 {
		var sum float64
		for _, v := range p {
			sum += float64(v) * float64(v)
		}
		return 10 * math.Log10(sum/float64(len(p)))
	}
	return level(rec.Samples[from+second/10 : from+second/2]), level(rec.Samples[to-second/2 : to-second/10])
}

// A resident complains while the gate sounds: it is turned down within the
// play, sounds as before after it was restored, and is silent once it was
// stopped for the day, which counts as exempt when somebody else confirmed it.
func TestComplaint(t *testing.T) {
	t.Parallel()
	o, people := newStaffedOffice(t, map[string]fleet.Role{"li": fleet.Clerk, "chen": fleet.Approver})
	clerk := people["li"]
	clip := testClip(6 * time.Second)
	o.addClip("ding", wavOf(clip))
	g := newGate(t, o, "SL-01-01")
	first := soon(5 * time.Second)
	o.activate(slotsFrom(o, first, 8*time.Second, 3))
	g.waitStatus(ready)
	zone, err := time.LoadLocation(o.zone)
	if err != nil {
		t.Fatal(err)
	}
	find := clerk.get("/complaints/new?q=SL-01-01")
	m := regexp.MustCompile(`href="(/complaints/new\?point=(\d+)[^"]*)"`).FindStringSubmatch(find)
	if m == nil {
		t.Fatalf("the point is not found: %s", text(find))
	}
	complain := func(measure, gain string) string {
		t.Helper()
		clerk.post("/complaints", url.Values{
			"point": {m[2]}, "gain": {gain}, "channel": {"12345"}, "at": {time.Now().In(zone).Format("2006-01-02 15:04")},
			"text": {"孩子在睡觉，声音太大"}, "measure": {measure},
		})
		return latestLink(t, clerk, "/complaints")
	}
	until(t, first.Add(time.Second))
	begun := time.Now()
	lowered := complain("lower", "0")
	eventually(t, 30*time.Second, func() string {
		if page := text(clerk.get(lowered)); !strings.Contains(page, "已在点位生效") {
			return page
		}
		return ""
	})
	t.Logf("turned down %s after the complaint", time.Since(begun).Round(time.Millisecond))
	g.waitPlays(1)
	if page := text(clerk.get(lowered)); !strings.Contains(page, "调低 6 分贝") || !strings.Contains(page, "照记已播") {
		t.Errorf("the complaint's page says %s", page)
	}
	clerk.post(lowered+"/restore", url.Values{"reason": {"喇叭已转向"}})
	g.waitPlays(2)
	stopped := complain("stop", "0")
	eventually(t, 30*time.Second, func() string {
		if page := text(clerk.get(stopped)); !strings.Contains(page, "已在点位生效") {
			return page
		}
		return ""
	})
	people["chen"].post(latestLink(t, people["chen"], "/mutes")+"/approve", nil)
	g.waitPlays(3)
	eventually(t, 15*time.Second, func() string {
		if page := text(o.get("/")); !strings.Contains(page, "免播 1") {
			return page
		}
		return ""
	})
	g.process.stop(t, 5*time.Second)

	files := g.recordings()
	if len(files) != 2 {
		t.Fatalf("%d recordings, want 2: the third slot was stopped", len(files))
	}
	head, tail := loudness(t, files[0])
	if d := tail - head; d > -5 || d < -7 {
		t.Errorf("the play that sounded fell by %.1f dB, want 6", -d)
	}
	again, end := loudness(t, files[1])
	if math.Abs(again-head) > 0.5 || math.Abs(end-head) > 0.5 {
		t.Errorf("restored to %.1f and %.1f dB, want %.1f", again, end, head)
	}
	outs := outcomes(t, g.records())
	if n := len(outs); n != 3 || outs[0].Result != wire.PlayPlayed || outs[1].Result != wire.PlayPlayed || outs[2].Reason != wire.ReasonMuted {
		t.Errorf("outcomes = %s", fmt.Sprint(outs))
	}
	rows := today(t, o.books(), "SL-01-01")
	for i, want := range []fleet.Verdict{fleet.Played, fleet.Played, fleet.Exempt} {
		if len(rows) != 3 || rows[i].Verdict != want {
			t.Errorf("slot %d of %+v is not %s", i+1, rows, want)
		}
	}
}

// until waits for an instant.
func until(t *testing.T, at time.Time) {
	t.Helper()
	select {
	case <-time.After(time.Until(at)):
	case <-t.Context().Done():
	}
}

// waitPlays waits until the gate has settled n plays.
func (g *gate) waitPlays(n int) {
	g.t.Helper()
	g.waitStatus(func(s agent.Status) bool { return len(s.Plays) >= n })
}
