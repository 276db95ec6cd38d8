package acceptance

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"gatecast/audio"
	"gatecast/controller/fleet"
	"gatecast/internal/guest"
	"gatecast/internal/soundcheck"
	"gatecast/internal/wire"
)

// powerCut is scenario C6: a slot of two plays, a minute apart, and one of a
// single play behind it.
type powerCut struct {
	*testing.T
	o     *office
	b     *box
	clip  *audio.PCM
	first time.Time // of the first play
}

func (c *powerCut) programme() string {
	zone, err := time.LoadLocation(c.o.zone)
	if err != nil {
		c.Fatal(err)
	}
	slot := func(key, name string, at time.Time, more string) string {
		at = at.In(zone)
		return fmt.Sprintf("  - {key: %s, name: %s, start: \"%d %d %d %d %d *\", playlist: [ding], %s}\n",
			key, name, at.Second(), at.Minute(), at.Hour(), at.Day(), at.Month(), more)
	}
	return fmt.Sprintf("id: gates\nname: 小区日常\nzone: %s\ntargets: {kinds: [gate]}\ndaily_budget: 90m\nslots:\n", c.o.zone) +
		slot("evening", "晚", c.first, "duration: 72s, every: 1m, max_plays: 2") +
		slot("late", "晚二", c.first.Add(95*time.Second), "duration: 24s, max_plays: 1")
}

// sounding is how much the card has played since the last boot, 0 before it
// has played anything.
func (c *powerCut) sounding() time.Duration {
	fi, err := os.Stat(c.b.sound())
	if errors.Is(err, fs.ErrNotExist) {
		return 0
	}
	if err != nil {
		c.Fatal(err)
	}
	return time.Duration(max(0, fi.Size()-44)) * time.Second / (48000 * 4)
}

// heard returns for how long the card has sounded since the last boot.
func (c *powerCut) heard() (time.Duration, *audio.PCM) {
	c.Helper()
	if c.sounding() == 0 { // the card was never opened
		return 0, nil
	}
	wav, err := soundcheck.ReadWAV(c.b.sound())
	if err != nil {
		c.Fatal(err)
	}
	loud := 0
	const window = 480 // 10 ms
	for at := 0; at+window*wav.Channels <= len(wav.Samples); at += window * wav.Channels {
		for _, s := range wav.Samples[at : at+window*wav.Channels] {
			if s > 0.001 || s < -0.001 {
				loud++
				break
			}
		}
	}
	return time.Duration(loud) * 10 * time.Millisecond, wav
}

// recognised counts the half seconds of the clip that are in a recording. A
// card that the host starves drops out in between, so that the whole need not
// be there.
func (c *powerCut) recognised(wav *audio.PCM) (n int) {
	if wav == nil {
		return 0
	}
	half := c.clip.Rate / 2
	for at := half; at+2*half <= len(c.clip.Samples); at += half {
		part := &audio.PCM{Format: c.clip.Format, Samples: c.clip.Samples[at : at+half]}
		if m, err := soundcheck.Compare(part, wav); err == nil && m.Correlation > 0.98 {
			n++
		}
	}
	return n
}

// until waits for an instant of the real clock, which is that of the office.
func (c *powerCut) until(at time.Time) {
	c.Helper()
	timer := time.NewTimer(time.Until(at))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-c.Context().Done():
	}
}

// awaits waits until the overview says what.
func (c *powerCut) awaits(what string, limit time.Time) {
	c.Helper()
	eventually(c.T, time.Until(limit), func() string {
		if page := text(c.o.get("/")); !strings.Contains(page, what) {
			return "the overview lacks " + what + ": " + page
		}
		return ""
	})
}

// powerOn boots in 1970 with the network cable out and starts the agent, which
// must run soon.
func (c *powerCut) powerOn() {
	c.Helper()
	began, mark := time.Now(), len(c.b.log.String())
	c.b.boot(guest.Setting{RTC: noClock})
	c.b.plug(false)
	c.b.startAgent(slirpHost)
	c.b.said(mark, "agent started", time.Minute)
	took := time.Since(began)
	c.Logf("ready %s after power on", took.Round(100*time.Millisecond))
	if took > 90*time.Second {
		c.Errorf("ready only %s after power on", took)
	}
}

// trusted plugs the cable in and waits until the agent trusts the time.
func (c *powerCut) trusted() {
	c.Helper()
	mark := len(c.b.log.String())
	c.b.plug(true)
	c.b.said(mark, "from=0 to=1", 90*time.Second)
}

// clipFile is the one clip of the office, as gates get it.
func (c *powerCut) clipFile() (sha string, content []byte) {
	c.Helper()
	files, err := filepath.Glob(filepath.Join(c.o.dir, "data", "media", "clips", "*.flac"))
	if err != nil || len(files) != 1 {
		c.Fatalf("clips of the office: %v, %v, want one", files, err)
	}
	if content, err = os.ReadFile(files[0]); err != nil {
		c.Fatal(err)
	}
	return strings.TrimSuffix(filepath.Base(files[0]), ".flac"), content
}

// Power fails in the middle of a slot and comes back to a machine that has no
// clock, no network at first, and a damaged clip on its card.
func TestPowerCutInASlot(t *testing.T) {
	t.Parallel()
	c := &powerCut{T: t, b: newBox(t, 64, filepath.Join(bin, "gatecast-agent")), clip: testClip(20 * time.Second)}
	c.b.urgent = true // its card is listened to
	c.o = newOffice(t)
	c.o.addClip("ding", wavOf(c.clip))
	c.b.boot(guest.Setting{RTC: noClock})
	c.b.join(c.o.joinLine("SL-01-01"), slirpHost)
	c.b.admit(c.o, "SL-01-01", slirpHost)
	mark := len(c.b.log.String())
	c.b.startAgent(slirpHost)
	c.b.said(mark, "link is up", time.Minute)
	c.first = soon(10 * time.Second)
	c.o.activate(c.programme())

	eventually(t, time.Minute, func() string { // the first play: its middle was noted, and with the second it stays below 80 % of the slot
		if c.sounding() < 11500*time.Millisecond {
			return "the first play does not sound"
		}
		return ""
	})
	c.b.cut()
	truth, _ := c.heard()
	t.Logf("power cut %s into the first play, %s heard", time.Since(c.first).Round(time.Millisecond), truth)
	c.b.checkDisk()
	sha, content := c.clipFile()
	c.b.corrupt(content)

	c.powerOn()
	c.until(c.first.Add(20 * time.Second))
	if silent, _ := c.heard(); silent > 0 {
		t.Errorf("%s sounded before time was trusted", silent)
	}
	c.trusted()
	c.awaits("部分播 1", c.first.Add(100*time.Second)) // the second play is over and reported
	second, wav := c.heard()
	if got := strings.Fields(c.b.shell("busybox sha256sum " + agentData + "/clips/" + sha))[0]; got != sha {
		t.Errorf("the damaged clip %s was not fetched again: now %s", sha, got)
	}
	c.b.cut()
	if n := c.recognised(wav); n < 3 {
		t.Errorf("after the damage sounded something else than the clip: %d half seconds of it are there", n)
	}
	if second < 10*time.Second || second > 20200*time.Millisecond {
		t.Errorf("%s sounded after the first cut, want one play of 20s", second)
	}

	c.until(c.first.Add(96 * time.Second)) // the last slot has begun
	c.powerOn()
	c.until(c.first.Add(120 * time.Second)) // and is over
	c.trusted()
	c.awaits("未播 1", time.Now().Add(30*time.Second))
	if made, _ := c.heard(); made > 0 {
		t.Errorf("%s sounded behind the end of the slot", made)
	}
	c.b.stopAgent()
	c.b.cut()
	c.checkBooks(truth)
}

// checkBooks reads the verdicts and what stands behind them.
func (c *powerCut) checkBooks(truth time.Duration) {
	c.Helper()
	written := c.b.records()
	page := c.o.get("/compliance")
	slot := regexp.MustCompile(`href="(/[^"]*gates\.evening[^"]*)"`).FindStringSubmatch(page)
	if slot == nil {
		c.Fatalf("the page of verdicts has no link to the slot: %s", text(page))
	}
	if page := text(c.o.get(slot[1])); !strings.Contains(page, "断电") || !strings.Contains(page, "部分播") {
		c.Errorf("the slot's page does not say 部分播 and 断电: %s", page)
	}
	books := c.o.books()
	rows := today(c.T, books, "SL-01-01")
	if len(rows) != 2 {
		c.Fatalf("%d obligations, want 2: %+v", len(rows), rows)
	}
	if r := rows[1]; r.Verdict != fleet.Missed || r.Reason != wire.ReasonPower {
		c.Errorf("the slot that began without power = %s %s, want missed by power", r.Verdict, r.Reason)
	}
	all := outcomes(c.T, written)
	if len(all) != 3 {
		c.Fatalf("%d outcomes, want 3: %+v", len(all), all)
	}
	cut, played := all[0], all[1]
	if sound := time.Duration(cut.SoundMS) * time.Millisecond; cut.Result != wire.PlayPartial || cut.Reason != wire.ReasonPower || sound <= 0 || sound > truth {
		c.Errorf("the interrupted play = %+v; want partial by power, more than 0 and at most %s", cut, truth)
	}
	if late := wire.FromUS(played.StartedUS).Sub(c.first.Add(time.Minute)); late.Abs() > time.Second || played.SoundMS < 4000 && played.FramesPlayed < 4*24000 {
		c.Errorf("the play that was left = %+v, want it %s", played, c.first.Add(time.Minute))
	}
	// A card that the host starves makes that play partial, too.
	starved := played.Result != wire.PlayPlayed
	if starved {
		c.Logf("the host was too busy for the sound card: %s", played.Detail)
	}
	if r := rows[0]; r.Verdict != fleet.Partial || !starved && (r.Reason != wire.ReasonPower || r.PlaysOK != 1) {
		c.Errorf("the slot with the cut = %s %s, %d plays; want partial by power, 1", r.Verdict, r.Reason, r.PlaysOK)
	}
	for _, r := range written {
		if r.Kind == wire.RecordIntent && r.Level < wire.T1 {
			c.Errorf("a play began at level %d: %s", r.Level, r.Body)
		}
	}
	devices, err := books.Devices(c.Context())
	if err != nil || len(devices) != 1 {
		c.Fatalf("devices = %v, %v, want one", devices, err)
	}
	sameRecords(c.T, books, devices[0].ID, written)
}
