package acceptance

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"gatecast/controller/fleet"
	"gatecast/controller/store"
	"gatecast/internal/guest"
	"gatecast/internal/guest/errand"
	"gatecast/internal/wire"
)

// holidays is a box that holds office and gate, and whose clock is ours: the
// first eleven days of October 2026.
type holidays struct {
	*testing.T
	b    *box
	o    *office // its pages, over the network
	zone *time.Location
	a    int // slots a day, the first of three
}

// programme has the rhythm of the default programme with short slots.
func (h *holidays) programme() string {
	return threeSlots[0] + strings.Join(threeSlots[1:1+h.a], "")
}

var threeSlots = []string{`
id: gates
name: 小区日常
zone: Asia/Shanghai
targets: {kinds: [gate]}
daily_budget: 90m
slots:
`, `  - key: morning
    name: 早
    start: "30 7 * * *"
    duration: 20s
    max_plays: 1
    playlist: [ding]
    overrides:
      - {days: [rest_day, holiday], start: "30 8 * * *", duration: 20s}
`, `  - {key: noon, name: 中, start: "20 11 * * *", duration: 20s, max_plays: 1, playlist: [ding]}
`, `  - {key: evening, name: 晚, start: "0 18 * * *", duration: 20s, max_plays: 1, playlist: [ding]}
`}

// october is a time of the month in the office's zone.
func (h *holidays) october(day, hour, minute, second int) time.Time {
	return time.Date(2026, 10, day, hour, minute, second, 0, h.zone)
}

// clock sets the box's clock, as a time service would.
func (h *holidays) clock(at time.Time) {
	h.Helper()
	h.b.do(errand.Request{ClockUS: at.UnixMicro(), Synchronised: true})
}

// sleep has the power of the gate fail until at: to the agent it is another
// boot. Leaps of a clock within one boot are what it does not believe.
func (h *holidays) sleep(at time.Time) {
	h.Helper()
	h.b.do(errand.Request{Name: "agent", Stop: int(syscall.SIGKILL)})
	h.b.shell("busybox cat /proc/sys/kernel/random/uuid >/boot_id; busybox mount -o bind /boot_id /proc/sys/kernel/random/boot_id")
	h.clock(at)
	h.b.startAgent(slirpHost)
}

// pass lets time pass in the box.
func (h *holidays) pass(d time.Duration) {
	h.Helper()
	h.b.shell(fmt.Sprintf("busybox sleep %d", int(d.Seconds())))
}

// talk runs f, which talks to the pages, in the box's slow motion.
func (h *holidays) talk(f func()) {
	h.Helper()
	end, err := h.b.host.Hurry()
	if err != nil {
		h.Fatal(err)
	}
	f()
	if err := end(); err != nil {
		h.Fatal(err)
	}
}

// open sets office and gate up on 30 September.
func (h *holidays) open() {
	h.Helper()
	ports := make([]string, 3)
	for i := range ports {
		_, port, err := net.SplitHostPort(freePort(h.T))
		if err != nil {
			h.Fatal(err)
		}
		ports[i] = port
	}
	h.b.boot(guest.Setting{RTC: "2026-09-30T01:00:00", Forwards: ports, Skip: true})
	// Its disk would answer by the host's clock: to a box that skips what it
	// waits for, seconds late.
	h.b.shell("busybox umount /disk; busybox mount -t tmpfs tmpfs /disk")
	h.clock(h.october(0, 9, 0, 0))
	config := fmt.Sprintf(`
data_dir: /disk/controller
hosts: ["10.0.2.2"]
web: {listen: ":%s", plain_http: true, idle_logout: 12h}
devices: {https_listen: ":%s", mqtt_listen: ":%s"}
sound: {zone: Asia/Shanghai}
`, ports[0], ports[1], ports[2])
	h.b.shell("busybox cat >/disk/controller.yaml <<'END'" + config + "END\nbusybox cat >/disk/registry.yaml <<'END'" + registry + "END")
	controller := []string{"/bin/gatecast-controller", "--config", "/disk/controller.yaml"}
	h.o = &office{t: h.T, web: "http://127.0.0.1:" + ports[0], zone: h.zone.String(), devices: &cable{addr: "127.0.0.1:" + ports[1]}}
	said := map[string]string{}
	for _, args := range [][]string{{"registry", "import", "/disk/registry.yaml"}, {"password", "admin"}, {"password", "approver", "--role", "approver"}} {
		out, err := h.b.host.Run(append(controller, args...)...)
		if err != nil {
			h.Fatal(err)
		}
		said[args[1]] = strings.TrimSpace(out[strings.LastIndex(out, ": ")+2:])
	}
	h.o.signerOnce = said["approver"]
	h.b.do(errand.Request{Name: "controller", Start: controller})
	h.b.said(0, "controller started", time.Minute)
	h.talk(func() {
		h.o.logIn(said["admin"])
		h.o.addClip("ding", wavOf(testClip(3*time.Second)))
		h.b.join(h.o.joinLine("SL-01-01"), slirpHost)
		h.b.admit(h.o, "SL-01-01", slirpHost)
		mark := len(h.b.log.String())
		h.b.startAgent(slirpHost)
		h.b.said(mark, "link is up", time.Minute)
		h.o.activate(h.programme())
	})
	h.b.said(0, "plan accepted\" component=link version=3", time.Minute)
	h.pass(time.Minute)
}

// play lets a slot of the day pass.
func (h *holidays) play(start time.Time) {
	h.Helper()
	h.sleep(start.Add(-30 * time.Second))
	h.pass(38 * time.Second)
}

// morning is when the first slot of a day starts: an hour later on days off.
func (h *holidays) morning(day int) time.Time {
	if day <= 7 || day == 11 {
		return h.october(day, 8, 30, 0)
	}
	return h.october(day, 7, 30, 0)
}

func (h *holidays) day(day int) []time.Time {
	return []time.Time{h.morning(day), h.october(day, 11, 20, 0), h.october(day, 18, 0, 0)}[:h.a]
}

// Scenarios C5 and C23: over the National Day holiday a gate has no network for
// nine days, and the tenth day is a Saturday that people work. With
// GATECAST_DAY_SLOTS=3 it owes 27 slots in these nine days, as scenario C5 has
// it; by default the mornings, which is what the holidays change.
func TestNineDaysOfflineInTheHolidays(t *testing.T) {
	t.Parallel()
	zone, err := time.LoadLocation("Asia/Shanghai")
	if err != nil {
		t.Fatal(err)
	}
	h := &holidays{T: t, a: min(atLeast(t, "GATECAST_DAY_SLOTS", 1), 3), b: newBox(t, 128, releaseOf(t, "gatecast-agent"), filepath.Join(bin, "gatecast-controller")), zone: zone}
	h.open()

	h.enterExam()
	h.sleep(h.october(0, 20, 0, 0))
	h.b.plug(false)
	for day := 1; day <= 9; day++ {
		for _, start := range h.day(day) {
			h.play(start)
		}
	}
	h.sleep(h.october(9, 20, 0, 0))
	mark := len(h.b.log.String())
	h.b.plug(true)
	back := h.october(9, 20, 0, 0)
	h.pass(2 * time.Minute)
	h.b.said(mark, "link is up", 0)
	h.talk(func() {
		h.o.logInAgain()
		page := text(h.o.get("/compliance?from=2026-10-01&to=2026-10-09"))
		if want := fmt.Sprintf("应播 %d 已播 %d", 9*h.a, 8*h.a); !strings.Contains(page, want) || !strings.Contains(page, fmt.Sprintf("免播 %d", h.a)) {
			t.Errorf("after nine days without network the page lacks %s and 免播 %d: %s", want, h.a, page)
		}
	})
	for day := 10; day <= 11; day++ {
		for _, start := range h.day(day) {
			h.play(start)
		}
	}
	h.pass(2 * time.Minute)
	h.b.stopAgent()

	h.clock(time.Date(2026, 12, 2, 9, 0, 0, 0, zone))
	h.talk(func() {
		h.o.logInAgain()
		if page := text(h.o.get("/")); !strings.Contains(page, "还没有 2027 年的节假日表") {
			t.Errorf("on 2 December the overview does not ask for next year's holidays: %s", page)
		}
		if page := text(h.o.get("/?lang=en")); !strings.Contains(page, "The holiday table of 2027 is missing") {
			t.Errorf("nor in English: %s", page)
		}
	})
	h.b.do(errand.Request{Name: "controller", Stop: int(syscall.SIGTERM)})
	h.b.shell("busybox mkdir /tmp/card; busybox mount -t ext4 /dev/vda /tmp/card; busybox cp -a /disk/agent /disk/controller /tmp/card; busybox umount /tmp/card")
	if _, err := h.b.host.Do(errand.Request{PowerOff: true}); err == nil {
		t.Error("the box answered that it is off")
	}
	_ = h.b.host.Wait() // the errand tells more
	h.checkBooks(back)
}

// checkBooks reads what came of it from the disk.
func (h *holidays) checkBooks(back time.Time) {
	h.Helper()
	disk := h.b.checkDisk()
	written := journalOn(h.T, disk)
	dir := h.TempDir()
	if out, err := exec.Command("debugfs", "-R", "rdump /controller "+dir, disk).CombinedOutput(); err != nil {
		h.Fatalf("reading the disk: %v: %s", err, out)
	}
	books, err := store.Open(context.Background(), filepath.Join(dir, "controller", "gatecast.db"), store.Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		h.Fatal(err)
	}
	defer books.Close()
	want := map[string]time.Time{}
	for day := 1; day <= 11; day++ {
		for i, name := range []string{"早", "中", "晚"}[:h.a] {
			want[fmt.Sprintf("2026-10-%02d %s", day, name)] = h.day(day)[i]
		}
	}
	for _, r := range today(h.T, books, "SL-01-01") {
		start, ok := want[fmt.Sprintf("%s %s", r.Day, r.Name)]
		if !ok {
			continue // of September or later
		}
		delete(want, fmt.Sprintf("%s %s", r.Day, r.Name))
		if r.Day == examDay {
			if r.Verdict != fleet.Exempt || !strings.Contains(r.Note, "示例文号〔2026〕10号") {
				h.Errorf("%s %s in the exam = %s %q, want exempt with the document", r.Day, r.Name, r.Verdict, r.Note)
			}
			continue
		}
		if r.Verdict != fleet.Played || !r.Start.Equal(start) {
			h.Errorf("%s %s at %s = %s %s, want played at %s", r.Day, r.Name, r.Start.In(h.zone), r.Verdict, r.Reason, start)
		}
	}
	if len(want) > 0 {
		h.Errorf("not owed: %v", want)
	}
	for _, o := range outcomes(h.T, written) {
		planned := wire.FromUS(o.PlannedUS).In(h.zone)
		if planned.After(h.october(12, 0, 0, 0)) || planned.Before(h.october(1, 0, 0, 0)) {
			continue
		}
		if planned.Format(time.DateOnly) == examDay {
			h.Errorf("it sounded in the exam: %+v", o)
		}
		if late := wire.FromUS(o.StartedUS).Sub(planned); late.Abs() > 20*time.Millisecond || !slices.ContainsFunc(h.day(planned.Day()), planned.Equal) {
			h.Errorf("a play planned for %s started %s late: %+v", planned, late, o)
		}
	}
	h.checkDelivery(books, written, back)
}

// checkDelivery checks that what was written without network came in order,
// once, and within two minutes of its return.
func (h *holidays) checkDelivery(books *store.Store, written []wire.Record, back time.Time) {
	h.Helper()
	devices, err := books.Devices(h.Context())
	if err != nil || len(devices) != 1 {
		h.Fatalf("devices = %v, %v, want one", devices, err)
	}
	sameRecords(h.T, books, devices[0].ID, written)
	held, err := books.LastRecords(h.Context(), devices[0].ID, 100_000)
	if err != nil {
		h.Fatal(err)
	}
	slices.SortFunc(held, func(a, b fleet.Record) int { return int(a.ID - b.ID) })
	late, last := 0, wire.Seq(0)
	for _, r := range held {
		if r.Seq != last+1 {
			h.Errorf("record %d came behind record %d", r.Seq, last)
		}
		last = r.Seq
		if at := wire.FromUS(r.AtUS); at.Before(h.october(1, 0, 0, 0)) || at.After(back) {
			continue
		}
		late++
		if wait := r.Received.Sub(back); wait < 0 || wait > 2*time.Minute {
			h.Errorf("record %d (%s) came %s after the network", r.Seq, r.Kind, wait)
		}
	}
	if least := 2 * 8 * h.a; late < least { // an intent and an outcome of each play
		h.Errorf("%d records were written without network, want %d at least", late, least)
	}
	h.Logf("%d records of nine days came in order", late)
}

// releaseOf builds a program as a release of 1 September would be: its clock
// never goes below the day it was built.
func releaseOf(t *testing.T, name string) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), name)
	build := exec.Command("go", "build", "-ldflags", "-X main.built=2026-09-01T00:00:00Z", "-o", program, "./cmd/"+name)
	build.Dir = filepath.Join("..", "..")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building %s: %v\n%s", name, err, out)
	}
	return program
}
