package acceptance

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"gatecast/agent"
	"gatecast/controller/fleet"
	"gatecast/internal/acceptance/outcome"
	"gatecast/internal/guest"
	"gatecast/internal/wire"
)

// powerRig switches a gate's computer on and cuts its power at a random moment,
// again and again, and looks at its disk each time.
type powerRig struct {
	*testing.T
	o    *office
	b    *box
	dice *rand.Rand

	survived []wire.Record        // of the journal, at the last cut
	ready    []time.Duration      // from power on until time is trusted, where the cut let it come to that
	midPlay  map[wire.PlayID]bool // that a cut ended: with an intent and no outcome
	damaged  int                  // file systems that e2fsck had to repair
	shrunk   int                  // records that were there at one cut and not at a later one
	gaps     int                  // records by which the agent says that it lost some
}

// everyTenSeconds is a programme of a play each ten seconds, for two hours.
func everyTenSeconds(o *office) string {
	zone, err := time.LoadLocation(o.zone)
	if err != nil {
		o.t.Fatal(err)
	}
	now := time.Now().In(zone)
	var b strings.Builder
	fmt.Fprintf(&b, "id: gates\nname: 小区日常\nzone: %s\ntargets: {kinds: [gate]}\ndaily_budget: 90m\nslots:\n", o.zone)
	for second := 0; second < 60; second += 10 {
		fmt.Fprintf(&b, "  - {key: s%d, name: 段%d, start: \"%d * %d,%d %d %d *\", duration: 9s, max_plays: 1, playlist: [ding]}\n",
			second, second, second, now.Hour(), now.Hour()+1, now.Day(), now.Month())
	}
	return b.String()
}

// on switches the box on and starts the agent, and cutSoon cuts its power up to
// 10 s after that: while the agent starts and recovers, or later.
func (r *powerRig) on() (mark int) {
	r.Helper()
	mark = len(r.b.log.String())
	r.b.boot(guest.Setting{RTC: noClock})
	r.b.startAgent(slirpHost, "--sink", "file", "--device", "/disk/wav")
	return mark
}

func (r *powerRig) cutSoon(mark int) {
	r.Helper()
	timer := time.NewTimer(time.Duration(r.dice.Int64N(int64(10 * time.Second))))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-r.b.host.Done():
		r.Fatal("the box went off by itself")
	}
	r.b.cut()
	r.noteReady(r.b.log.String()[mark:])
}

var trustedAt = regexp.MustCompile(`(?m)^(\S+) agent\| .*from=0 to=1`)

func (r *powerRig) noteReady(said string) {
	m := trustedAt.FindStringSubmatch(said)
	if m == nil {
		return
	}
	d, err := time.ParseDuration(m[1])
	if err != nil {
		r.Fatal(err)
	}
	r.ready = append(r.ready, d)
}

// inspect looks at the disk after a cut.
func (r *powerRig) inspect() {
	r.Helper()
	disk := filepath.Join(r.b.pc.Dir, "copy")
	copyFile(r.T, disk, r.b.pc.Disk)
	damage, err := fsck(disk)
	if err != nil {
		r.Fatal(err)
	}
	if damage != "" {
		r.damaged++
		r.Errorf("the file system is damaged:\n%s", damage)
	}
	records := journalOn(r.T, disk)
	r.shrunk += r.missing(r.survived, records, "was there at the cut before")
	r.gaps, r.survived = 0, records
	var open wire.PlayID
	for _, rec := range records {
		switch rec.Kind {
		case wire.RecordGap:
			r.gaps++
		case wire.RecordIntent:
			open = bodyOf[wire.Intent](r.T, rec).Play
		case wire.RecordOutcome:
			open = ""
		}
	}
	if open != "" {
		r.midPlay[open] = true
	}
}

// missing counts the records of want that are not in have as they were.
func (r *powerRig) missing(want, have []wire.Record, what string) (n int) {
	r.Helper()
	type key struct {
		log wire.LogID
		seq wire.Seq
	}
	held := make(map[key]wire.Record, len(have))
	for _, rec := range have {
		held[key{rec.Log, rec.Seq}] = rec
	}
	for _, w := range want {
		if h, ok := held[key{w.Log, w.Seq}]; !ok || h.Kind != w.Kind || !bytes.Equal(h.Body, w.Body) {
			n++
			r.Errorf("record %s/%d (%s) %s and is gone or changed", w.Log, w.Seq, w.Kind, what)
		}
	}
	return n
}

// deliver boots once more, waits until all is acked that was written by then,
// and cuts the power. It returns the newest acked record.
func (r *powerRig) deliver() wire.Seq {
	r.Helper()
	mark := r.on()
	r.b.said(mark, "from=0 to=1", 90*time.Second)
	var written, acked wire.Seq // plays go on: what was written by now
	eventually(r.T, 2*time.Minute, func() string {
		out, err := r.b.host.Run("/bin/gatecast-agent", "status", "--json", "--data", agentData)
		if err != nil {
			return err.Error()
		}
		var s agent.Status
		if err := json.Unmarshal([]byte(out), &s); err != nil {
			return err.Error()
		}
		if written == 0 {
			written = s.Last
		}
		if acked = s.Acked; acked < written {
			return fmt.Sprintf("%d of %d records acked", acked, written)
		}
		return ""
	})
	r.b.cut()
	r.noteReady(r.b.log.String()[mark:])
	return acked
}

// A gate's computer, with ext4 and a kernel of its own, loses power at random
// moments. GATECAST_POWER_CUTS says how often.
func TestSurvivesPowerCutsOfAMachine(t *testing.T) {
	t.Parallel()
	cuts := atLeast(t, "GATECAST_POWER_CUTS", 3)
	seed := seedOf(t)
	r := &powerRig{T: t, b: newBox(t, 128, filepath.Join(bin, "gatecast-agent")), dice: rand.New(rand.NewPCG(seed, 200)), midPlay: map[wire.PlayID]bool{}}
	r.o = newOffice(t)
	r.o.addClip("ding", wavOf(testClip(6*time.Second)))
	r.b.boot(guest.Setting{RTC: noClock})
	r.b.join(r.o.joinLine("SL-01-01"), slirpHost)
	r.b.admit(r.o, "SL-01-01", slirpHost)
	r.b.startAgent(slirpHost, "--sink", "file", "--device", "/disk/wav")
	r.o.activate(everyTenSeconds(r.o))
	r.b.said(0, "plan accepted\" component=link version=3", time.Minute)
	for mark, n := 0, 1; n < cuts; n++ {
		r.cutSoon(mark)
		r.inspect()
		if n+1 < cuts {
			mark = r.on()
		}
	}
	acked := r.deliver()
	r.inspect()
	r.report(cuts, acked)
}

// report compares the books and prints the table.
func (r *powerRig) report(cuts int, acked wire.Seq) {
	r.Helper()
	books := r.o.books()
	devices, err := books.Devices(r.Context())
	if err != nil || len(devices) != 1 {
		r.Fatalf("devices = %v, %v, want one", devices, err)
	}
	rows, err := books.LastRecords(r.Context(), devices[0].ID, 1_000_000)
	if err != nil {
		r.Fatal(err)
	}
	held := make([]wire.Record, len(rows))
	doubled := 0
	for i, row := range rows {
		held[i] = row.Record
	}
	lost := r.missing(held, r.survived, "is in the books")
	written := slices.DeleteFunc(slices.Clone(r.survived), func(w wire.Record) bool { return w.Seq > acked })
	unacked := r.missing(written, held, "was acked to the device, is not in the books,")
	begun, results := map[wire.PlayID]int{}, map[wire.PlayResult]int{}
	for _, rec := range r.survived {
		switch rec.Kind {
		case wire.RecordIntent:
			play := bodyOf[wire.Intent](r.T, rec).Play
			if begun[play]++; begun[play] > 1 {
				doubled++
				r.Errorf("play %s began %d times", play, begun[play])
			}
		case wire.RecordOutcome:
			o, err := fleet.Record{Record: rec}.Outcome()
			if err != nil {
				r.Fatal(err)
			}
			if begun[o.Play] > 0 {
				results[o.Result]++
			}
		}
	}
	slices.Sort(r.ready)
	p50, worst := time.Duration(0), time.Duration(0)
	if n := len(r.ready); n > 0 {
		p50, worst = r.ready[n/2].Round(100*time.Millisecond), r.ready[n-1].Round(100*time.Millisecond)
	}
	// The worst is the host's: a busy one lets an emulated processor wait.
	if p50 == 0 || p50 > 90*time.Second {
		r.Errorf("from power on to trusted time: %s at p50, want at most 90s", p50)
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', 0)
	for _, row := range [][2]any{
		{"power cuts", cuts}, {"in the middle of a play", len(r.midPlay)}, {"file systems damaged", r.damaged},
		{"records on the disk", len(r.survived)}, {"acked or reported and lost", lost + unacked + r.shrunk}, {"gap records", r.gaps},
		{"plays begun", len(begun)}, {"played / partly", fmt.Sprint(results[wire.PlayPlayed], " / ", results[wire.PlayPartial])}, {"plays doubled", doubled},
		{"power on to trusted time", fmt.Sprintf("p50 %s, max %s, of %d", p50, worst, len(r.ready))},
	} {
		fmt.Fprintf(w, "%v\t%v\n", row[0], row[1])
	}
	if err := w.Flush(); err != nil {
		r.Error(err)
	}
	if r.gaps > 0 {
		r.Errorf("%d gap records: the journal lost some", r.gaps)
	}
	outcome.Report(r.T, outcome.Row{
		Fault: "power cut of a whole machine", FaultZH: "整机断电", Tried: cuts, Unit: "cuts", UnitZH: "次",
		Of: len(r.survived), Lost: lost + unacked + r.shrunk, Doubled: doubled,
		Note:   fmt.Sprintf("QEMU, Linux 6.1, ext4: %d damaged; %d in a play; ready in %s, %s at worst", r.damaged, len(r.midPlay), p50, worst),
		NoteZH: fmt.Sprintf("QEMU 虚拟机，Linux 6.1，ext4：损坏 %d 次；播放中断电 %d 次；上电到就绪 %s，最长 %s", r.damaged, len(r.midPlay), p50, worst),
	})
}
