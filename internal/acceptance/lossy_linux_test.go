package acceptance

import (
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"gatecast/controller/store"
	"gatecast/internal/acceptance/outcome"
	"gatecast/internal/lossyfs"
	"gatecast/internal/wire"
)

// lossyStorm is a storm in which each death is a power cut: every folder of
// data is a disk of its own that loses what was not synced.
type lossyStorm struct {
	*storm

	mu    sync.Mutex // held while a disk is away
	disks map[string]*lossyfs.Disk
	boxes map[string]*machine
	cuts  uint64
	loss  lossyfs.Loss
}

// The power of an office and its gates is cut at random moments of their
// lives, as in TestSurvivesKills: what was not synced is gone, or there in
// part. After each cut of the office nothing that a device was acked is
// missing there and SQLite finds its file whole; in the end the books are
// whole and true. GATECAST_CUTS says how many cuts there are at least.
func TestSurvivesPowerCutsOnLossyDisks(t *testing.T) {
	t.Parallel()
	want := atLeast(t, "GATECAST_CUTS", 120)
	l := &lossyStorm{storm: &storm{t: t, seed: seedOf(t)}, disks: map[string]*lossyfs.Disk{}, boxes: map[string]*machine{}}
	l.storm.settle, l.storm.died = l.mount, l.cut
	l.bearOffice()
	l.bearGates(4)
	for _, d := range l.disks {
		d.Sync() // the test's own change of the broker's address
	}
	for _, g := range l.gates {
		g.program = l.boxes[g.dir].line(g.program...)
	}
	clip := testClip(stormClip)
	l.o.addClip("ding", wavOf(clip))
	first := soon(stormStep)
	slots := 3 + want/60
	l.o.activate(slotsFrom(l.o, first, stormStep, slots))
	for _, g := range l.gates {
		g.start()
		g.waitStatus(ready)
		g.process.kill()
	}
	l.rage(want, first, slots)
	l.calm(len(l.gates) * slots)
	for _, g := range l.gates {
		g.process.stop(t, 5*time.Second)
	}
	l.o.process.stop(t, 10*time.Second)

	books := copiedBooks(t, l.home())
	var sum tally
	for _, g := range l.gates {
		sum = sum.plus(sameBooks(t, books, g)).plus(nothingInvented(t, books, g))
		l.unharmed(g)
	}
	truth := trueVerdicts(t, books, l.gates, clip)
	sum = sum.plus(truth.tally)
	if cuts := l.total(); cuts < want {
		t.Errorf("%d cuts, want %d", cuts, want)
	}
	if l.loss.Bytes == 0 || l.loss.Names == 0 {
		t.Errorf("the cuts took %v: they prove nothing", l.loss)
	}
	outcome.Report(t, outcome.Row{
		Fault: "power cut with loss of what was not synced", FaultZH: "断电并丢失未落盘数据", Tried: l.total(), Unit: "cuts", UnitZH: "次",
		Of: sum.of, Lost: sum.lost, Doubled: sum.doubled,
		Note:   fmt.Sprintf("lossyfs under journal and SQLite; 1 office, %d gates, %d slots: %s; the cuts took %v", len(l.gates), truth.of, truth, l.loss),
		NoteZH: fmt.Sprintf("日志与 SQLite 都在 lossyfs 上；1 个街道、%d 个门口、%d 个时段：%s", len(l.gates), truth.of, truth.zh()),
	})
}

// mount makes a disk for a folder of data.
func (l *lossyStorm) mount(home string) {
	l.t.Helper()
	if err := os.MkdirAll(home, 0o700); err != nil {
		l.t.Fatal(err)
	}
	l.disks[home] = lossyfs.MountedAt(l.t, lossyfs.Options{}, home)
	l.boxes[home] = newMachine(l.t)
}

// cut is what the death of a program does to its disk. Every fourth cut takes
// all that was not synced.
func (l *lossyStorm) cut(home string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cuts++
	seed := l.seed + l.cuts
	if l.cuts%4 == 0 {
		seed = 0
	}
	loss, err := l.disks[home].Cut(seed)
	if err != nil {
		l.t.Error(err)
		return
	}
	l.loss = l.loss.Add(loss)
	l.boxes[home].reboot()
	if home == l.home() {
		l.checkOffice(home)
	}
}

// nothingInvented checks the other direction of sameBooks: what the office
// holds of a gate, the gate still holds, byte for byte. A record that was sent
// and then lost would have left its number to another one.
func nothingInvented(t *testing.T, books *store.Store, g *gate) (sum tally) {
	t.Helper()
	held, err := books.LastRecords(t.Context(), g.device(), 100_000)
	if err != nil {
		t.Fatal(err)
	}
	written := map[wire.Seq]string{}
	for _, r := range g.records() {
		written[r.Seq] = string(r.Body)
	}
	for _, r := range held {
		if written[r.Seq] != string(r.Body) {
			sum.lost++
			t.Errorf("record %d was reported as %s, the journal holds %s", r.Seq, r.Body, written[r.Seq])
		}
	}
	return sum
}
