package acceptance

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"gatecast/agent"
	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

// A wrong clip is on the air at one gate while another gate is away. A clerk
// mutes everything: the first falls silent in the middle of the clip and stays
// so when its agent is killed; the second goes on until it is back and hears of
// it. The clerk cannot let them sound again, an approver can.
func TestMuteEverything(t *testing.T) {
	t.Parallel()
	o, people := newStaffedOffice(t, map[string]fleet.Role{"clerk": fleet.Clerk, "chen": fleet.Approver})
	clerk, approver := people["clerk"], people["chen"]
	clip := testClip(2500 * time.Millisecond)
	o.addClip("ding", wavOf(clip))
	here, away := newGate(t, o, "SL-01-01"), newGate(t, o, "SL-01-02")
	first := soon(5 * time.Second)
	o.activate(slotsFrom(o, first, 6*time.Second, 3))
	here.waitStatus(ready)
	away.waitStatus(ready)
	own := newCable(t, o.mqtt.addr) // cut for one gate alone
	away.process.stop(t, 5*time.Second)
	away.reroute(own.addr)
	own.setCut(true)
	away.start()
	waitRecorded(t, here, 1, time.Until(first)+5*time.Second)

	if page := clerk.get("/"); !strings.Contains(page, `href="/mute"`) {
		t.Error("the first page has no button to mute")
	}
	begun := time.Now()
	clerk.post("/mute", url.Values{"scope": {"all"}, "reason": {"播错了内容"}})
	path := latestMute(t, clerk)
	eventually(t, 10*time.Second, func() string {
		page := text(clerk.get(path))
		if !strings.Contains(page, "已静音 1/2") || !strings.Contains(page, "离线，待送达") {
			return "the board says " + page
		}
		return ""
	})
	here.waitStatus(func(s agent.Status) bool { return len(s.Plays) == 1 && s.Plays[0].Reason == wire.ReasonMuted })
	if took := time.Since(begun); took > 10*time.Second {
		t.Errorf("silent after %s, want 10 s at most", took)
	}
	if page := text(approver.get("/points")); !strings.Contains(page, "已全部静音") {
		t.Error("another page does not say that everything is muted")
	}
	here.process.kill()
	here.start()
	away.waitStatus(func(s agent.Status) bool { return len(s.Plays) == 1 && s.Plays[0].Result == wire.PlayPlayed })
	away.process.stop(t, 5*time.Second) // a restart, so that the pause before the next try is short
	own.setCut(false)
	away.start()
	eventually(t, 10*time.Second, func() string {
		if page := text(clerk.get(path)); !strings.Contains(page, "已静音 2/2") {
			return "the board says " + page
		}
		return ""
	})
	if status := clerk.refused(path+"/lift", url.Values{"reason": {"我要恢复"}}); status != http.StatusForbidden {
		t.Errorf("a clerk who lets the gates sound again is answered %d, want 403", status)
	}
	// The second slot passes in silence before anybody may sound again.
	here.waitStatus(func(s agent.Status) bool {
		return len(s.Plays) == 2 && s.Plays[1].Reason == wire.ReasonMuted
	})
	away.waitStatus(func(s agent.Status) bool {
		return len(s.Plays) == 2 && s.Plays[1].Reason == wire.ReasonMuted
	})
	if n := len(here.recordings()) + len(away.recordings()); n != 2 {
		t.Errorf("%d recordings while muted, want 2: the one that was cut, and the one of the gate that was away", n)
	}
	approver.post(path+"/lift", url.Values{"reason": {"已换下错误素材"}, "exempt": {"yes"}})
	for _, g := range []*gate{here, away} {
		g.waitStatus(func(s agent.Status) bool {
			return len(s.Plays) > 0 && s.Plays[len(s.Plays)-1].Result == wire.PlayPlayed
		})
	}
	eventually(t, 10*time.Second, func() string {
		if page := text(o.get("/")); !strings.Contains(page, "已播 3") {
			return page
		}
		return ""
	})
	for _, g := range []*gate{here, away} {
		g.process.stop(t, 5*time.Second)
	}
	if got := latestMute(t, approver); got != path {
		t.Errorf("latest mute = %q, want %q", got, path)
	}
	outs := outcomes(t, here.records())
	if len(outs) < 2 || outs[0].Result != wire.PlayPartial || outs[0].Reason != wire.ReasonMuted || outs[0].SoundMS >= 2500 {
		t.Errorf("the play that was cut: %+v", outs)
	}
	if outs[1].Result != wire.PlaySkipped || outs[1].Reason != wire.ReasonMuted {
		t.Errorf("the play after the restart: %+v", outs[1])
	}
	books := o.books()
	row := today(t, books, "SL-01-01")[0]
	if row.Verdict != fleet.Exempt || row.Reason != wire.ReasonMuted {
		t.Errorf("the slot that was cut = %s %s, want exempt, muted", row.Verdict, row.Reason)
	}
	audits, err := books.Audits(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, what := range []fleet.AuditCode{"mute", "unmute", "mute_approve"} {
		if !slices.ContainsFunc(audits, func(a fleet.Audit) bool { return a.What == what }) {
			t.Errorf("no audit line %q", what)
		}
	}
}

// latestMute returns the page of the newest order of silence.
func latestMute(t *testing.T, p *person) string {
	t.Helper()
	page := p.get("/mutes")
	i := strings.Index(page, `href="/mutes/`)
	if i < 0 {
		t.Fatalf("no mute is on record: %s", text(page))
	}
	rest := page[i+len(`href="`):]
	return rest[:strings.IndexByte(rest, '"')]
}
