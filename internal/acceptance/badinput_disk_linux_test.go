package acceptance

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"gatecast/agent"
	"gatecast/agent/journal"
	"gatecast/agent/walltime"
	"gatecast/controller/fleet"
	"gatecast/internal/acceptance/outcome"
	"gatecast/internal/needtool"
	"gatecast/internal/wire"
)

// smallDisk mounts a file system of so many bytes at dir, which is made, and
// returns the functions that fill it to the last byte and make room again.
func smallDisk(t *testing.T, dir string, size int) (fill, free func()) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d,mode=0700", size)); err != nil {
		needtool.Missing(t, fmt.Sprintf("the right to mount a small file system (%v)", err))
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_FORCE|2 /* MNT_DETACH */) })
	ballast := filepath.Join(dir, "ballast")
	fill = func() {
		t.Helper()
		f, err := os.OpenFile(ballast, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		for step := 1 << 20; step > 0; step /= 2 {
			for err = nil; err == nil; {
				_, err = f.Write(make([]byte, step))
			}
			if !errors.Is(err, syscall.ENOSPC) {
				t.Fatal(err)
			}
		}
	}
	return fill, func() {
		t.Helper()
		if err := os.Remove(ballast); err != nil {
			t.Fatal(err)
		}
	}
}

// waitStatus waits until ok holds for what the gate says of itself.
func (g *gate) waitStatus(ok func(agent.Status) bool) {
	g.t.Helper()
	eventually(g.t, 20*time.Second, func() string {
		out := run(g.t, "gatecast-agent", "status", "--json", "--data", g.dir)
		var s agent.Status
		if err := json.Unmarshal([]byte(out), &s); err != nil {
			return err.Error()
		}
		if !ok(s) {
			return "the gate is not there yet: " + out
		}
		return ""
	})
}

// ready says that a gate holds a plan and its one clip.
func ready(s agent.Status) bool { return s.NextPlay != nil && s.ClipsReady == 1 }

// The office's disk is full: whoever adds something is told so, the pages
// answer, the gates play on, and their records arrive once there is room.
func TestSurvivesFullDiskAtTheOffice(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	fill, free := smallDisk(t, filepath.Join(dir, "data"), 24<<20)
	o := newOfficeIn(t, dir)
	clip := testClip(4 * time.Second)
	o.addClip("ding", wavOf(clip))
	g := newGate(t, o, "SL-01-01")
	plan := slotsFrom(o, soon(6*time.Second), 8*time.Second, 1)
	o.activate(plan)
	g.waitStatus(ready)

	fill()
	library := o.library()
	for lang, sentence := range map[string]string{
		"en": "The server's disk is full. Nothing was saved and nothing was lost. Ask the administrator to free space, then upload it again.",
		"zh": "服务器磁盘满了，存不下。素材没有保存，原有素材不受影响。请管理员清理磁盘或换大盘后再传。",
	} {
		status, page := o.upload("/clips?lang="+lang, "新素材.wav", wavOf(testClip(6*time.Second)), map[string]string{"name": "dong"})
		if status != http.StatusOK {
			t.Errorf("upload to a full disk: status %d", status)
		}
		says(t, text(page), "新素材.wav", strings.ReplaceAll(sentence, "'", "&#39;"))
	}
	o.get("/?lang=zh")
	if after := o.library(); !slices.Equal(after, library) {
		t.Errorf("the library was %q and is %q", library, after)
	}
	big := plan + strings.Repeat("# 备注\n", 8000)
	status, page := o.upload("/programmes", "", nil, map[string]string{"yaml": big})
	if status != http.StatusUnprocessableEntity {
		t.Errorf("a programme to a full disk: status %d", status)
	}
	says(t, text(page), "磁盘已满")
	if !strings.Contains(page, "# 备注") {
		t.Error("the programme is not kept in the form")
	}
	g.waitStatus(func(s agent.Status) bool { return len(s.Plays) == 1 })
	g.waitStatus(func(s agent.Status) bool {
		if s.Acked == s.Last {
			t.Errorf("%d records were acked by an office that cannot keep them", s.Acked)
		}
		return s.Plays[0].Result == wire.PlayPlayed
	})
	eventually(t, 20*time.Second, func() string {
		if page := text(o.get("/")); !strings.Contains(page, "这台电脑的磁盘已满。点位照常播放，记录留在设备上") {
			return "the overview does not say so: " + page
		}
		return ""
	})
	says(t, text(o.get("/?lang=en")), "The office cannot store anything", "disk is full")
	o.get("/?lang=zh")

	free()
	waitReported(t, o, g, 1)
	if page := text(o.get("/")); strings.Contains(page, "存不了数据") {
		t.Errorf("the overview goes on complaining: %s", page)
	}
	o.addClip("dong", wavOf(testClip(6*time.Second)))
	g.process.stop(t, 5*time.Second)
	books := o.books()
	if got := verdicts(today(t, books, "SL-01-01")); !slices.Equal(got, []fleet.Verdict{fleet.Played}) {
		t.Errorf("verdicts = %v, want played", got)
	}
	sum := sameBooks(t, books, g)
	outcome.Report(t, outcome.Row{
		Fault: "disk full at the office", FaultZH: "街道磁盘写满", Tried: 1, Unit: "time", UnitZH: "次",
		Of: sum.of, Lost: sum.lost, Doubled: sum.doubled, Note: "to the last byte, during a slot", NoteZH: "时段中写满到最后一个字节",
	})
}

// The gate's card is full: what it has goes on sounding and is recorded, the
// office is told what is wrong and what to do, and once there is room the new
// programme arrives by itself.
func TestSurvivesFullDiskAtAGate(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.addClip("ding", wavOf(testClip(4*time.Second)))
	dir := filepath.Join(t.TempDir(), "data")
	fill, free := smallDisk(t, dir, 8<<20)
	g := newGateIn(t, o, "SL-01-01", dir, filepath.Join(bin, "gatecast-agent"))
	plan := slotsFrom(o, soon(6*time.Second), 6*time.Second, 1)
	o.activate(plan)
	g.waitStatus(ready)

	fill()
	waitRecorded(t, g, 1, 20*time.Second) // without an inch of space
	o.addClip("dong", wavOf(testClip(3*time.Second)))
	last := slotsFrom(o, soon(11*time.Second), 8*time.Second, 1)
	more := last[strings.Index(last, "  - {"):]
	o.activate(plan + strings.Replace(more, "[ding]", "[dong]", 1))
	point := regexp.MustCompile(`href="(/points/\d+)[^"]*"[^>]*>[^<]*松风苑南门`).FindStringSubmatch(o.get("/points"))
	if point == nil {
		t.Fatal("no such point on the page")
	}
	eventually(t, 20*time.Second, func() string {
		page := text(o.get(point[1]))
		if !strings.Contains(page, "存储已满") || !strings.Contains(page, "设备没有空间存素材或记录，请") {
			return "the office is not told: " + page
		}
		return ""
	})
	says(t, text(o.get(point[1]+"?lang=en")), "Disk full", "No space for clips or records")
	o.get("/?lang=zh")
	free()
	waitRecorded(t, g, 2, 40*time.Second)
	waitReported(t, o, g, 2)
	g.process.stop(t, 5*time.Second)
	books := o.books()
	if got := verdicts(today(t, books, "SL-01-01")); !slices.Equal(got, []fleet.Verdict{fleet.Played, fleet.Played}) {
		t.Errorf("verdicts = %v, want both played", got)
	}
	sum := sameBooks(t, books, g)
	outcome.Report(t, outcome.Row{
		Fault: "disk full at a gate", FaultZH: "门口存储写满", Tried: 1, Unit: "time", UnitZH: "次",
		Of: sum.of, Lost: sum.lost, Doubled: sum.doubled, Note: "to the last byte, during a slot", NoteZH: "时段中写满到最后一个字节",
	})
}

// full fills a journal that a gate is going to write to, with records of a
// past that nobody saw, until room for about room more bytes is left in its
// segment; the next one needs new space on the disk.
func full(t *testing.T, dir string, room int) {
	t.Helper()
	body := map[string]string{"agent": strings.Repeat("x", 500)}
	write := func(dir string, limit int) (n int) {
		j, err := journal.Open(dir, journal.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer j.Close()
		for n = 0; n < limit; n++ {
			if _, err := j.Append(wire.RecordBoot, walltime.Stamp{BootID: "before"}, body); err != nil {
				t.Fatal(err)
			}
			if segments, err := filepath.Glob(filepath.Join(dir, "*.seg")); err != nil || len(segments) > 1 {
				break
			}
		}
		return n
	}
	// A record is about 800 bytes in its frame.
	n := write(filepath.Join(t.TempDir(), "journal"), 10_000)
	write(dir, n-room/800)
}

// The gate's card is full to the last byte and its journal needs new space in
// the middle of a day: what cannot be recorded does not sound, the office is
// told, and with room again every slot has its one true verdict.
func TestSurvivesFullJournalAtAGate(t *testing.T) {
	t.Parallel()
	const slots, step = 6, 5 * time.Second
	o := newOffice(t)
	clip := testClip(2 * time.Second)
	o.addClip("ding", wavOf(clip))
	dir := filepath.Join(t.TempDir(), "data")
	fill, free := smallDisk(t, dir, 8<<20)
	full(t, filepath.Join(dir, "journal"), 4000)
	g := newGateIn(t, o, "SL-01-01", dir, filepath.Join(bin, "gatecast-agent"))
	first := soon(5 * time.Second)
	o.activate(slotsFrom(o, first, step, slots))
	g.waitStatus(ready)
	fill()
	waitRecorded(t, g, 1, 20*time.Second) // in what was left of the segment
	point := regexp.MustCompile(`href="(/points/\d+)[^"]*"[^>]*>[^<]*松风苑南门`).FindStringSubmatch(o.get("/points"))
	if point == nil {
		t.Fatal("no such point on the page")
	}
	eventually(t, time.Until(first.Add((slots-1)*step)), func() string {
		if page := text(o.get(point[1])); !strings.Contains(page, "记录写不进") {
			return "the office is not told: " + page
		}
		return ""
	})
	<-time.After(time.Until(first.Add((slots - 1) * step).Add(-time.Second)))
	free()
	waitSettled(t, o, slots, 20*time.Second)
	g.process.stop(t, 5*time.Second)
	books := o.books()
	sum := sameBooks(t, books, g)
	truth := trueVerdicts(t, books, []*gate{g}, clip)
	sum = sum.plus(truth.tally)
	if truth.of != slots || truth.missed == 0 || truth.played < 2 {
		t.Errorf("%d slots: %s; want some played and some not", truth.of, truth)
	}
	for _, row := range today(t, books, "SL-01-01") {
		if row.Verdict == fleet.Missed && row.Reason == "" {
			t.Errorf("%s is missed for no reason", row.Slot)
		}
	}
	outcome.Report(t, outcome.Row{
		Fault: "journal full at a gate", FaultZH: "门口日志无处可写", Tried: 1, Unit: "time", UnitZH: "次",
		Of: sum.of, Lost: sum.lost, Doubled: sum.doubled,
		Note: fmt.Sprintf("%d slots: %s", truth.of, truth), NoteZH: fmt.Sprintf("%d 个时段：%s", truth.of, truth.zh()),
	})
}
