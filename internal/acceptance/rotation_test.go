package acceptance

import (
	"strings"
	"testing"
	"time"
)

// TestCAIsTakenAwayAtOnce replaces the CA of a running gate without a time in
// which both count, and the director's key with it: over real TLS the gate meets
// a server that it does not know, follows the chain of roots by its signatures
// alone, renews its certificate with one of a CA that counts no more, and takes
// plans of the new key.
func TestCAIsTakenAwayAtOnce(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.addClip("ding", wavOf(testClip(3*time.Second)))
	newGate(t, o, "SL-01-01")
	newest := func(want string) {
		t.Helper()
		eventually(t, 150*time.Second, func() string { // the gate backs off for up to a minute at a time
			if page := text(o.get("/settings/keys")); !strings.Contains(page, "1/1 台已是最新") || !strings.Contains(page, want) {
				return "the gate has not followed: " + page
			}
			return ""
		})
	}
	newest("信任根第 1 版")
	o.process.stop(t, 10*time.Second)
	run(t, "gatecast-controller", "--config", o.config, "rotate", "ca", "--now")
	run(t, "gatecast-controller", "--config", o.config, "rotate", "director")
	o.start()
	newest("信任根第 3 版")
	o.activate(slotsFrom(o, soon(6*time.Second), 15*time.Second, 1))
	eventually(t, 40*time.Second, func() string {
		if strings.Contains(text(o.get("/")), "已播 1") {
			return ""
		}
		return "the overview does not count the slot as played: " + text(o.get("/"))
	})
}
