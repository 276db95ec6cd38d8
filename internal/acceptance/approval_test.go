package acceptance

import (
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

// clipsOnDisk returns the names of the clips that lie on a gate's disk.
func (g *gate) clipsOnDisk() []string {
	g.t.Helper()
	entries, err := os.ReadDir(filepath.Join(g.dir, "clips"))
	if err != nil {
		g.t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// purge is what the clip's page says of a point after a recall: purged,
// online, offline; empty when it does not list the point.
func purge(page, point string) string {
	m := regexp.MustCompile(`data-purge="(\w+)"><th scope="row"><a [^>]*>` + regexp.QuoteMeta(point) + `<`).FindStringSubmatch(page)
	if m == nil {
		return ""
	}
	return m[1]
}

// TestClipIsSignedPlayedAndRecalled is a clip's whole way: who submitted it
// cannot sign it, nobody can plan it before it is signed, and a recall in the
// middle of its sound ends that and deletes it, at once where the gate is
// online, on its return where it is not.
func TestClipIsSignedPlayedAndRecalled(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	length := 20 * time.Second
	clip := o.submitClip("ding", wavOf(testClip(length)))
	if said := o.decide(o.clerk, clip, "approve", nil); strings.Contains(said, "已签发，") {
		t.Fatalf("who submitted the clip signed it:\n%s", said)
	}
	online, away := newGate(t, o, "SL-01-01"), newGate(t, o, "SL-01-02")
	_, page := o.upload("/programmes", "", nil, map[string]string{"yaml": slotsFrom(o, time.Now().Add(time.Hour), time.Minute, 1)})
	if said := text(page); !strings.Contains(said, "素材“ding”还没有签发：admin 已送审，等签发人签发后再启用") || strings.Contains(page, "/activate") {
		t.Errorf("a programme with a clip that nobody signed can be activated, or the page does not say why:\n%s", said)
	}

	o.signer = o.browser("approver", o.signerOnce)
	if said := o.decide(o.signer, clip, "approve", nil); !strings.Contains(said, "已签发") || !strings.Contains(said, "签发前没有试听") {
		t.Fatalf("the approver's sign-off is not told:\n%s", said)
	}
	first := soon(6 * time.Second)
	o.activate(slotsFrom(o, first, 40*time.Second, 1))
	online.waitStatus(ready)
	away.waitStatus(ready)
	away.process.stop(t, 5*time.Second)
	eventually(t, 30*time.Second, func() string {
		if time.Now().Before(first.Add(2*time.Second)) || len(online.recordings()) == 0 {
			return "the clip does not sound yet"
		}
		return ""
	})

	recalled := time.Now()
	page = o.decide(o.signer, clip, "recall", url.Values{"reason": {"电话号码念错"}})
	if !strings.Contains(page, "已召回") || !strings.Contains(page, "电话号码念错") {
		t.Fatalf("the recall is not told:\n%s", page)
	}
	eventually(t, 10*time.Second, func() string {
		page := o.get(clip)
		if purge(page, "松风苑南门") != "purged" {
			return "the page does not say that the gate deleted it: " + text(page)
		}
		return ""
	})
	if left := online.clipsOnDisk(); len(left) > 0 {
		t.Errorf("the page says deleted, the disk holds %q", left)
	}
	if took := time.Since(recalled); took > 10*time.Second {
		t.Errorf("deleting took %s", took)
	}
	if got := purge(o.get(clip), "松风苑北门"); got != "offline" || len(away.clipsOnDisk()) != 1 {
		t.Errorf("the gate that is away is told as %q with %q on its disk, want offline with the clip", got, away.clipsOnDisk())
	}
	away.start()
	eventually(t, 30*time.Second, func() string {
		if left := away.clipsOnDisk(); len(left) > 0 {
			return "it still holds " + strings.Join(left, " ")
		}
		if page := o.get(clip); purge(page, "松风苑北门") != "purged" || !strings.Contains(text(page), "2 / 2") {
			return "the page does not say so: " + text(page)
		}
		return ""
	})
	if status, page := o.upload("/clips", "ding.wav", wavOf(testClip(length)), map[string]string{"name": "ding"}); status != 200 || !strings.Contains(text(page), "被召回过，重新送审须写明理由") {
		t.Errorf("the same audio came in again: %d\n%s", status, text(page))
	}

	online.process.stop(t, 5*time.Second)
	away.process.stop(t, 5*time.Second)
	cut := onlyOutcome(t, online)
	if cut.Result != wire.PlayPartial || cut.Reason != wire.ReasonStopped || cut.SoundMS >= length.Milliseconds() {
		t.Errorf("the play that the recall met = %+v, want it cut off", cut)
	}
	if ended := wire.FromUS(cut.StartedUS).Add(time.Duration(cut.SoundMS) * time.Millisecond); ended.Sub(recalled) > 10*time.Second {
		t.Errorf("it sounded on for %s after the recall", ended.Sub(recalled))
	}
	books := o.books()
	c, err := books.ClipByName(t.Context(), "ding")
	if err != nil || c.State != fleet.ClipRecalled {
		t.Errorf("clip = %s, %v, want it recalled", c.State, err)
	}
	events, err := books.ClipEvents(t.Context(), c.ID)
	if err != nil || len(events) != 4 || events[2].By != "approver" || events[3].Reason != "电话号码念错" {
		t.Errorf("history = %+v, %v", events, err)
	}
}
