package acceptance

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gatecast/internal/lossyfs"
	"gatecast/internal/needtool"
	"gatecast/internal/wire"
)

// In the rivals' world one second stands for thirty. There is a play every
// 2½ minutes, of a minute; the kernel writes unsynced data after 30 s and names
// after 5 s; cron uploads every minute.
const (
	rivalPace  = 30
	rivalStep  = 150 * time.Second / rivalPace
	rivalClip  = 60 * time.Second / rivalPace
	rivalWhole = 10 * time.Millisecond        // what may be missing of a whole clip
	rivalDark  = 30 * time.Second / rivalPace // how long the power is away
	rivalCron  = 60 * time.Second / rivalPace
	flushData  = 30 * time.Second / rivalPace
	flushNames = 5 * time.Second / rivalPace
)

// TestRivals has Gatecast and what people use instead play the same timetable
// with the same cuts of the power and the same outage of the office, each on a
// disk of the same kind, and compares what sounded with what the office was told. `make
// rivals` takes ten minutes for it and prints the table; GATECAST_RIVALS is the
// number of plays. Only Gatecast can fail the test: what the others lose is a
// finding.
func TestRivals(t *testing.T) {
	t.Parallel()
	needtool.Need(t, "mpg123", "lame", "mosquitto", "curl")
	w := newRivalWorld(t, atLeast(t, "GATECAST_RIVALS", 6))
	w.live()
	// After a long cut a device tries again after a minute at most.
	waitSettled(t, w.own, len(w.at), 100*time.Second)
	rows := map[*contender]rivalRow{}
	for _, c := range w.all {
		r := judge(w.sounded(c), c.told(), len(w.at))
		rows[c] = r
		t.Logf("%s: the cuts took %v; what was lost had ended at most %s before one", c.name, c.loss, (rivalPace * r.margin).Round(time.Second))
		if r.whole+r.cut == 0 {
			t.Errorf("%s never sounded:\n%s", c.name, c.log)
		}
	}
	if r := rows[w.all[0]]; r.lost+r.doubled+r.untold+r.lied+r.invented+r.twice > 0 {
		t.Errorf("Gatecast: %+v", r)
	}
	t.Logf("%d plays planned, %d power cuts, office away for %s\n%s\n%s", len(w.at), len(w.cuts),
		w.outage[1].Sub(w.outage[0]).Round(time.Second), rivalTable(w.all, rows, "en"), rivalTable(w.all, rows, "zh"))
}

// sound is how long a play was heard, all its soundings together, and when the
// power went after it.
type sound struct {
	times  int
	length time.Duration
	margin time.Duration // from its end to the next cut
}

// claims are what an office was told of each play, by number: how often that
// it was played, that it was cut off, and that it was tried in vain.
type claims struct{ played, partly, failed map[int]int }

func newClaims() claims { return claims{map[int]int{}, map[int]int{}, map[int]int{}} }

// rivalRow is what came of one contender.
type rivalRow struct {
	whole, lost, doubled, modest int           // plays that sounded to the end: not told at all, told twice, told as cut off
	cut, untold, lied            int           // plays that were cut off: not told at all, told as played
	invented                     int           // told as played without a sound
	twice                        int           // sounded twice
	margin                       time.Duration // the longest between the end of a lost play and the next cut
}

// judge compares what was heard with what was told.
func judge(heard map[int]sound, told claims, plays int) (r rivalRow) {
	for n := 1; n <= plays; n++ {
		s, played, partly, failed := heard[n], told.played[n], told.partly[n], told.failed[n]
		if s.times > 1 {
			r.twice++
		}
		if played+partly+failed > 1 {
			r.doubled++
		}
		switch {
		case s.length == 0:
			if played > 0 {
				r.invented++
			}
		case s.length >= rivalClip-rivalWhole:
			r.whole++
			switch {
			case played+partly == 0: // failed is no word for it
				r.lost, r.margin = r.lost+1, max(r.margin, s.margin)
			case played == 0:
				r.modest++
			}
		default:
			r.cut++
			switch {
			case played > 0:
				r.lied++
			case partly+failed == 0:
				r.untold++
			}
		}
	}
	return r
}

// rivalTable prints the rows as Markdown.
func rivalTable(all []*contender, rows map[*contender]rivalRow, lang string) string {
	var b strings.Builder
	if lang == "zh" {
		b.WriteString("| | 完整响过 | 丢失 | 报成部分播 | 中途被切断 | 毫无记录 | 谎称播完 | 重复上报 | 没响却上报 |\n")
	} else {
		b.WriteString("| | sounded whole | lost | told as cut off | cut off mid-clip | no trace | told as whole | told twice | told, never sounded |\n")
	}
	b.WriteString("|---|---|---|---|---|---|---|---|---|\n")
	for _, c := range all {
		r, name := rows[c], c.name
		if lang == "zh" {
			name = c.nameZH
		}
		fmt.Fprintf(&b, "| %s | %d | %d | %d | %d | %d | %d | %d | %d |\n", name, r.whole, r.lost, r.modest, r.cut, r.untold, r.lied, r.doubled, r.invented)
	}
	return b.String()
}

// rivalWorld is the timetable and everybody who lives by it.
type rivalWorld struct {
	t      *testing.T
	seed   uint64
	power  *powerStrip
	office *rivalOffice
	own    *office // Gatecast's
	gate   *gate
	at     []time.Time // of each play
	cuts   []time.Time
	outage [2]time.Time
	all    []*contender // ours first
	clip   string       // as MP3
}

func newRivalWorld(t *testing.T, plays int) *rivalWorld {
	t.Helper()
	w := &rivalWorld{t: t, seed: seedOf(t), office: newRivalOffice(t), clip: mp3Of(t, testClip(rivalClip)), power: newPowerStrip(t)}
	disk, dir := newRivalDisk(t)
	w.own = newOffice(t)
	o := w.own
	o.addClip("ding", wavOf(testClip(rivalClip)))
	w.gate = newGateIn(t, o, "SL-01-01", filepath.Join(dir, "gatecast"), filepath.Join(bin, "gatecast-agent"))
	ours := &contender{name: "Gatecast", nameZH: "Gatecast 门播", disk: disk, log: w.gate.log, box: newMachine(t)}
	ours.program = ours.box.line(w.gate.line()...)
	ours.told = func() claims { return ourClaims(w, o) }
	w.all = []*contender{ours}
	w.office.cables = append(w.office.cables, o.mqtt, o.devices)
	w.addScripts()
	// Everybody begins with the timetable in hand and nothing unsynced.
	first := soon(6 * time.Second)
	const most = 48 // slots of one programme
	for i := 0; i < plays; i += most {
		yaml := slotsFrom(o, first.Add(time.Duration(i)*rivalStep), rivalStep, min(most, plays-i))
		o.activate(strings.Replace(yaml, "id: gates", fmt.Sprint("id: gates", i/most+1), 1))
	}
	w.plan(first, plays)
	w.addPrograms()
	w.gate.waitStatus(ready)
	w.gate.process.stop(t, 10*time.Second)
	disk.Sync()
	return w
}

// newRivalDisk mounts a disk that keeps and loses as ext4 with its defaults
// does, in this world's time: a sync of anything commits every name.
func newRivalDisk(t *testing.T) (*lossyfs.Disk, string) {
	t.Helper()
	return lossyfs.Mounted(t, lossyfs.Options{Journaled: true, DataAge: flushData, NamesAge: flushNames})
}

// plan draws the instants of plays, cuts and outage.
func (w *rivalWorld) plan(first time.Time, plays int) {
	for i := range plays {
		w.at = append(w.at, first.Add(time.Duration(i)*rivalStep))
	}
	r, span := rand.New(rand.NewPCG(w.seed, 3)), time.Duration(plays)*rivalStep
	for len(w.cuts) < max(2, plays/2) {
		c := first.Add(time.Duration(r.Int64N(int64(span))))
		if !slices.ContainsFunc(w.cuts, func(d time.Time) bool { return c.Sub(d).Abs() < 2*rivalDark }) {
			w.cuts = append(w.cuts, c)
		}
	}
	slices.SortFunc(w.cuts, time.Time.Compare)
	w.outage = [2]time.Time{first.Add(span / 4), first.Add(span * 5 / 8)}
}

// live goes through the timetable. Cron starts nothing while it is dark and
// makes up for nothing.
func (w *rivalWorld) live() {
	type event struct {
		at time.Time
		do func()
	}
	var events []event
	for i, at := range w.at {
		events = append(events, event{at, func() {
			for _, c := range w.all {
				if c.play != nil {
					w.power.run(c, append(slices.Clone(c.play), fmt.Sprint(i+1)))
				}
			}
		}})
	}
	end := w.at[len(w.at)-1].Add(rivalStep)
	for at := w.at[0].Add(rivalCron / 2); at.Before(end.Add(5 * rivalCron)); at = at.Add(rivalCron) {
		events = append(events, event{at, func() {
			for _, c := range w.all {
				if c.upload != nil {
					w.power.run(c, c.upload)
				}
			}
		}})
	}
	for i, at := range w.cuts {
		events = append(events, event{at, func() { w.cut(w.seed + uint64(i) + 1) }}, event{at.Add(rivalDark), func() { w.power.on(w.all) }})
	}
	events = append(events, event{w.outage[0], func() { w.office.setAway(true) }}, event{w.outage[1], func() { w.office.setAway(false) }})
	slices.SortStableFunc(events, func(a, b event) int { return a.at.Compare(b.at) })
	w.power.on(w.all)
	for _, e := range events {
		<-time.After(time.Until(e.at))
		e.do()
	}
}

// cut takes everybody's power at one instant.
func (w *rivalWorld) cut(seed uint64) {
	w.t.Helper()
	w.power.off()
	for _, c := range w.all {
		l, err := c.disk.Cut(seed)
		if err != nil {
			w.t.Fatal(err)
		}
		c.loss = c.loss.Add(l)
		if c.box != nil {
			c.box.reboot()
		}
	}
}

// sounded returns what was heard of each play, by its number.
func (w *rivalWorld) sounded(c *contender) map[int]sound {
	heard := c.heard.all()
	if c.heard == nil {
		heard = recorded(w.t, w.gate)
	}
	all := map[int]sound{}
	for _, r := range heard {
		for i, at := range w.at {
			if r.length > 0 && !r.at.Before(at.Add(-chunk)) && r.at.Before(at.Add(rivalStep-chunk)) {
				s, margin := all[i+1], time.Duration(1<<63-1)
				if next := slices.IndexFunc(w.power.went, r.at.Before); next >= 0 {
					// A loudspeaker without power is silent, whatever is still
					// in its pipe.
					length := min(r.length, w.power.went[next].Sub(r.at))
					margin = w.power.went[next].Sub(r.at) - length
					r.length = length
				}
				all[i+1] = sound{s.times + 1, s.length + r.length, margin}
			}
		}
	}
	return all
}

// ourClaims reads what arrived at Gatecast's controller.
func ourClaims(w *rivalWorld, o *office) claims {
	w.t.Helper()
	told, zone := newClaims(), w.at[0].Location()
	books := o.books()
	dev, err := books.Devices(w.t.Context())
	if err != nil || len(dev) != 1 {
		w.t.Fatalf("devices = %v, %v, want one", dev, err)
	}
	held, err := books.LastRecords(w.t.Context(), dev[0].ID, 100_000)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, r := range held {
		if r.Kind != wire.RecordOutcome {
			continue
		}
		out, err := r.Outcome()
		if err != nil {
			w.t.Fatal(err)
		}
		n := slices.IndexFunc(w.at, func(at time.Time) bool { return at.UnixMicro() == out.PlannedUS }) + 1
		switch {
		case n == 0:
			w.t.Errorf("an outcome of a play at %s, which nobody planned", time.UnixMicro(out.PlannedUS).In(zone))
		case out.Result == wire.PlayPlayed:
			told.played[n]++
		case out.Result == wire.PlayPartial:
			told.partly[n]++
		default:
			told.failed[n]++
		}
	}
	return told
}

// rivalProgram builds the program of the outboxes.
func rivalProgram(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "rival")
	runProgram(t, "go", "build", "-o", file, "gatecast/internal/acceptance/rival")
	return file
}

// addScripts adds those whom cron starts.
func (w *rivalWorld) addScripts() {
	scripts, err := filepath.Abs(filepath.Join("testdata", "rivals"))
	if err != nil {
		w.t.Fatal(err)
	}
	for _, s := range []struct{ key, name, zh, upload string }{
		{"cron-log", "cron + mpg123 + log line; the log is uploaded", "cron + mpg123 + 日志行；整份上传", "upload-log.sh"},
		{"cron-new", "cron + mpg123 + log line; new lines are posted", "cron + mpg123 + 日志行；只传新行", "upload-new.sh"},
	} {
		c := w.rival(s.key, s.name, s.zh)
		c.play, c.upload = []string{"sh", filepath.Join(scripts, "play.sh")}, []string{"sh", filepath.Join(scripts, s.upload)}
		c.env = append(os.Environ(), "GATE="+c.dir, "SPEAKER="+c.heard.path, "CLIP="+w.clip, "OFFICE=http://"+w.office.http.addr+"/"+s.key)
		c.told = func() claims { return w.office.claims(s.key) }
	}
}

// addPrograms adds those with an outbox.
func (w *rivalWorld) addPrograms() {
	var b strings.Builder
	for i, at := range w.at {
		fmt.Fprintln(&b, i+1, at.UnixMilli())
	}
	timetable, program := filepath.Join(w.t.TempDir(), "timetable"), rivalProgram(w.t)
	writeFile(w.t, timetable, b.String())
	for _, s := range []struct{ kind, name, zh string }{
		{"paho", "mpg123 + paho FileStore, QoS 1", "mpg123 + paho FileStore，QoS 1"},
		{"sqlite-normal", "mpg123 + SQLite outbox, synchronous=NORMAL", "mpg123 + SQLite 发件箱，synchronous=NORMAL"},
		{"sqlite-full", "mpg123 + SQLite outbox, synchronous=FULL", "mpg123 + SQLite 发件箱，synchronous=FULL"},
	} {
		c := w.rival(s.kind, s.name, s.zh)
		address := "http://" + w.office.http.addr + "/" + s.kind + "/lines"
		if s.kind == "paho" {
			address = w.office.mqtt.addr
		}
		c.program = []string{program, s.kind, c.dir, timetable, address, c.heard.path, w.clip}
		c.told = func() claims { return w.office.claims(s.kind) }
	}
}

// rival makes the folder, the loudspeaker and the log of a contender.
func (w *rivalWorld) rival(key, name, zh string) *contender {
	w.t.Helper()
	disk, dir := newRivalDisk(w.t)
	c := &contender{name: name, nameZH: zh, disk: disk, dir: filepath.Join(dir, key), heard: newLoudspeaker(w.t), log: &logbook{}}
	if err := os.Mkdir(c.dir, 0o700); err != nil {
		w.t.Fatal(err)
	}
	showLogs(w.t, map[string]*logbook{name: c.log})
	w.all = append(w.all, c)
	return c
}
