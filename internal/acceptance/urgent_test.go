package acceptance

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"gatecast/agent"
	"gatecast/controller/fleet"
	"gatecast/internal/needtool"
	"gatecast/internal/wire"
)

// An urgent warning that is typed and read aloud, in the middle of a slot: it takes two people besides the one who submits, cuts in at the gate it
// is meant for and nowhere else, and stops when it is cancelled. Then an
// approver uses 先播后审, which is on record and wants another one's word.
func TestUrgentBroadcast(t *testing.T) {
	needtool.Need(t, "espeak-ng")
	t.Parallel()
	o, people := newStaffedOffice(t, map[string]fleet.Role{"clerk": fleet.Clerk, "chen": fleet.Approver, "liu": fleet.Approver})
	clerk, chen, liu := people["clerk"], people["chen"], people["liu"]
	o.addClip("ding", wavOf(testClip(9*time.Second)))
	here, there := newGate(t, o, "SL-01-01"), newGate(t, o, "SL-01-02")
	first := soon(5 * time.Second)
	o.activate(slotsFrom(o, first, 15*time.Second, 1))
	clip := o.submitClip("alarm", wavOf(testClip(3*time.Second)))
	want := url.Values{
		"source": {"text"}, "spoken": {"请注意，有人冒充燃气公司。"}, "title": {"冒充燃气公司"}, "points": {"SL-01-01"}, "repeats": {"2"}, "until": {"23:59"}, "reason": {"冒充燃气公司的骗子正在入户"},
	}
	for _, g := range []*gate{here, there} {
		g.waitStatus(func(s agent.Status) bool { return s.NextPlay != nil && s.ClipsReady > 0 })
	}

	clerk.post("/urgent", want)
	path := latestUrgent(t, clerk)
	if status := clerk.refused(path+"/sign", nil); status != http.StatusForbidden {
		t.Errorf("who submitted it signs it: %d, want 403", status)
	}
	if page := text(chen.post(path+"/sign", nil)); !strings.Contains(page, "待签发 1/2") {
		t.Errorf("after the first signature the page says %s", page)
	}
	if status := chen.refused(path+"/sign", nil); status != http.StatusConflict {
		t.Errorf("the same person signs twice: %d, want 409", status)
	}
	early := maps.Clone(want)
	early.Set("first", "yes")
	if status := clerk.refused("/urgent", early); status != http.StatusForbidden {
		t.Errorf("a clerk has it sound first: %d, want 403", status)
	}

	waitRecorded(t, here, 1, time.Until(first)+5*time.Second)
	liu.post(path+"/sign", nil)
	signed := time.Now()
	waitRecorded(t, here, 2, 15*time.Second)
	if page := text(clerk.get(path)); !strings.Contains(page, "合成语音") || !strings.Contains(page, "一级群（指挥群）") {
		t.Errorf("the board does not say that a program read it, or lacks the texts for the groups: %s", page)
	}
	t.Logf("the first gate sounds %s after the last signature", time.Since(signed).Round(time.Millisecond))
	waitRecorded(t, here, 3, 15*time.Second) // the second repeat
	chen.post(path+"/end", url.Values{"reason": {"已核实，取消"}})
	cancelled := time.Now()
	here.waitStatus(func(s agent.Status) bool {
		return slices.ContainsFunc(s.Plays, func(p agent.PlayedStatus) bool {
			return strings.HasSuffix(string(p.Play), "now#2") && p.Reason == wire.ReasonStopped
		})
	})
	if took := time.Since(cancelled); took > 10*time.Second {
		t.Errorf("it stopped %s after it was cancelled, want 10 s at most", took)
	}

	want.Set("first", "yes")
	want.Set("repeats", "1")
	want.Set("source", "clip")
	want.Set("clip", clip[strings.LastIndexByte(clip, '/')+1:])
	chen.post("/urgent", want)
	path = latestUrgent(t, chen)
	if page := text(liu.get(path)); !strings.Contains(page, "已先播") {
		t.Errorf("what sounds first is not marked so: %s", page)
	}
	if status := chen.refused(path+"/sign", nil); status != http.StatusForbidden {
		t.Errorf("who had it sound first confirms it: %d, want 403", status)
	}
	waitRecorded(t, here, 4, 15*time.Second)
	if page := text(liu.post(path+"/sign", nil)); strings.Contains(page, "已先播") {
		t.Errorf("it still waits for a confirmation: %s", page)
	}
	eventually(t, 15*time.Second, func() string {
		if page := text(clerk.get(path)); !strings.Contains(page, "已播完 1/1") || !strings.Contains(page, "首声用时") {
			return "the board says " + page
		}
		return ""
	})
	for _, g := range []*gate{here, there} {
		g.process.stop(t, 5*time.Second)
	}
	if n := len(there.recordings()); n != 1 {
		t.Errorf("the gate out of scope made %d recordings, want the one of its slot", n)
	}
	outs := outcomes(t, here.records())
	if len(outs) == 0 || outs[0].Result != wire.PlayPartial || outs[0].Reason != wire.ReasonPreempted {
		t.Errorf("the play that made way: %+v", outs)
	}
	books := o.books()
	for code, row := range map[string]fleet.Verdict{"SL-01-01": fleet.Partial, "SL-01-02": fleet.Played} {
		if rows := today(t, books, code); len(rows) != 1 || rows[0].Verdict != row {
			t.Errorf("%s: %+v, want one slot, %s", code, rows, row)
		}
	}
	audits, err := books.Audits(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	for what, n := range map[fleet.AuditCode]int{fleet.AuditUrgent: 1, fleet.AuditUrgentFirst: 1, fleet.AuditUrgentSigned: 3, fleet.AuditUrgentEnded: 1} {
		got := 0
		for _, a := range audits {
			if a.What == what {
				got++
			}
		}
		if got != n {
			t.Errorf("%d audit lines %q, want %d", got, what, n)
		}
	}
}

// latestUrgent returns the page of the newest urgent broadcast.
func latestUrgent(t *testing.T, p *person) string {
	t.Helper()
	page := p.get("/urgent")
	i := strings.Index(page, `<table`)
	if i < 0 {
		t.Fatalf("no urgent broadcast is on record: %s", text(page))
	}
	page = page[i:]
	rest := page[strings.Index(page, `href="/urgent/`)+len(`href="`):]
	return rest[:strings.IndexByte(rest, '"')]
}
