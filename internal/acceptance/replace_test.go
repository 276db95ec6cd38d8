package acceptance

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"gatecast/audio"
	"gatecast/controller/fleet"
)

// backwards is p from its end to its beginning: as long, and another sound.
func backwards(p *audio.PCM) *audio.PCM {
	q := &audio.PCM{Format: p.Format, Samples: slices.Clone(p.Samples)}
	slices.Reverse(q.Samples)
	return q
}

// option returns the value of a clip in the form of a replacement.
func option(t *testing.T, page, name string) string {
	t.Helper()
	m := regexp.MustCompile(`value="(\d+)"[^>]*>[^<]*（` + name + `，`).FindStringSubmatch(page)
	if m == nil {
		t.Fatalf("the form offers no clip %q: %s", name, text(page))
	}
	return m[1]
}

// latestLink returns the newest page below path that a list links to.
func latestLink(t *testing.T, p *person, path string) string {
	t.Helper()
	m := regexp.MustCompile(`href="(` + path + `/\d+)"`).FindStringSubmatch(p.get(path))
	if m == nil {
		t.Fatalf("%s links to nothing: %s", path, text(p.get(path)))
	}
	return m[1]
}

// A clip is replaced for the slots to come while one gate is offline: the board
// says which gate has it, by its hash, and what the other will play; both do as
// the board says. It can be undone, and not once every slot has begun.
func TestReplaceClip(t *testing.T) {
	t.Parallel()
	o, people := newStaffedOffice(t, map[string]fleet.Role{"li": fleet.Clerk})
	clerk := people["li"]
	old := testClip(2500 * time.Millisecond)
	next := backwards(old)
	o.addClip("ding", wavOf(old))
	o.addClip("dong", wavOf(next))
	here, away := newGate(t, o, "SL-01-01"), newGate(t, o, "SL-01-02")
	first := soon(10 * time.Second)
	o.activate(slotsFrom(o, first, 7*time.Second, 2))
	here.waitStatus(ready)
	away.waitStatus(ready)
	own := newCable(t, o.mqtt.addr) // cut for one gate alone
	away.process.stop(t, 5*time.Second)
	away.reroute(own.addr)
	own.setCut(true)
	away.start()

	form := clerk.get("/dispatch/new")
	order := url.Values{"when": {"open"}, "old": {option(t, form, "ding")}, "new": {option(t, form, "dong")}, "reason": {"旧素材里的电话停用"}}
	clerk.post("/dispatch", order)
	board := latestLink(t, clerk, "/dispatch")
	clerk.post(board+"/undo", nil)
	if page := text(clerk.get(board)); !strings.Contains(page, "已撤回") {
		t.Errorf("after undoing the board says %s", page)
	}
	clerk.post("/dispatch", order)
	clerk.post("/dispatch", order) // pressed twice
	board = latestLink(t, clerk, "/dispatch")
	if !strings.HasSuffix(board, "/2") {
		t.Errorf("the newest order is %s, want the second", board)
	}
	eventually(t, time.Until(first), func() string {
		page := text(clerk.get(board + "/sheet"))
		for _, want := range []string{"应播 2 个点位：播新素材 1，播旧素材 1，不会播 0", "校验一致", "离线", "旧素材“ding”", "数据时间"} {
			if !strings.Contains(page, want) {
				return fmt.Sprintf("the sheet lacks %q: %s", want, page)
			}
		}
		return ""
	})

	away.waitPlays(1)
	away.process.stop(t, 5*time.Second) // a restart, so that the pause before the next try is short
	own.setCut(false)
	away.start()
	here.waitPlays(2)
	away.waitPlays(2)
	if page := text(clerk.get(board)); !strings.Contains(page, "播新素材 2，播旧素材 0") {
		t.Errorf("with both gates there the board says %s", page)
	}
	clerk.post(board+"/undo", nil)
	if page := text(clerk.get(board)); strings.Contains(page, "已撤回") {
		t.Errorf("undone after its last slot: %s", page)
	}
	for _, g := range []*gate{here, away} {
		g.process.stop(t, 5*time.Second)
	}
	checkRecording(t, next, here.recordings()[0])
	checkRecording(t, next, here.recordings()[1])
	checkRecording(t, old, away.recordings()[0])
	checkRecording(t, next, away.recordings()[1])
	if status := people["li"].refused("/dispatch", url.Values{"when": {"open"}, "old": order["old"], "new": order["old"], "reason": {"同一个"}}); status != http.StatusUnprocessableEntity {
		t.Errorf("a clip in its own place is answered %d", status)
	}
}
