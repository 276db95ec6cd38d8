package acceptance

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/acceptance/outcome"
	"gatecast/internal/needtool"
)

// mosquitto is the broker that deploy/broker sets up, on this machine.
type mosquitto struct {
	t       *testing.T
	addr    string
	config  string
	log     *logbook
	process *process
}

// newMosquitto makes the shipped configuration fit a test: another port, and
// the certificates where the office keeps them.
func newMosquitto(t *testing.T, addr, trust string) *mosquitto {
	t.Helper()
	m := &mosquitto{t: t, addr: addr, log: &logbook{}}
	showLogs(t, map[string]*logbook{"mosquitto": m.log})
	shipped, err := os.ReadFile(filepath.Join("..", "..", "deploy", "broker", "mosquitto.conf"))
	if err != nil {
		t.Fatal(err)
	}
	acl, err := filepath.Abs(filepath.Join("..", "..", "deploy", "broker", "gatecast.acl"))
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	fit := []string{"listener 8883", "listener " + port + " 127.0.0.1", "/etc/mosquitto/gatecast.acl", acl, "/etc/mosquitto/gatecast", trust}
	for i := 0; i < len(fit); i += 2 {
		if !strings.Contains(string(shipped), fit[i]) {
			t.Fatalf("the shipped configuration has no %q", fit[i])
		}
	}
	text := strings.NewReplacer(fit...).Replace(string(shipped))
	if os.Getuid() == 0 {
		text += "user root\n" // it reads the office's keys itself here
	}
	m.config = filepath.Join(t.TempDir(), "mosquitto.conf")
	writeFile(t, m.config, text)
	return m
}

func (m *mosquitto) start() {
	m.t.Helper()
	m.process = startProgram(m.t, m.log, "mosquitto", "-c", m.config)
	eventually(m.t, 10*time.Second, func() string {
		conn, err := net.Dial("tcp", m.addr)
		if err != nil {
			return err.Error()
		}
		conn.Close()
		return ""
	})
}

// restart ends the broker, by SIGKILL or SIGTERM, and starts it again.
func (m *mosquitto) restart(kill bool) {
	m.t.Helper()
	if kill {
		m.process.kill()
	} else {
		_ = m.process.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
		<-m.process.done
	}
	m.start()
}

// A broker of the office's own, set up as deploy/broker says, is restarted
// again and again while a fleet reports through it. QoS 0 loses what is on the
// way; nothing of it is lost, and nothing comes twice.
func TestSurvivesBrokerRestarts(t *testing.T) {
	t.Parallel()
	needtool.Need(t, "mosquitto")
	const devices, atLeastRestarts = 24, 8
	storm := time.Duration(atLeast(t, "GATECAST_BROKER_SECONDS", 8)) * time.Second
	dice := rand.New(rand.NewPCG(seedOf(t), 1))
	broker := freePort(t)
	o := layOut(t, t.TempDir(), broker)
	var b strings.Builder
	b.WriteString(strings.SplitAfter(registry, "points:\n")[0])
	for i := range devices + 1 {
		fmt.Fprintf(&b, "  - {code: M%02d, name: M%02d, kind: gate, unit: SL-01, compound: 松风苑}\n", i, i)
	}
	file := filepath.Join(o.dir, "registry.yaml")
	writeFile(t, file, b.String())
	run(t, "gatecast-controller", "--config", o.config, "registry", "import", file)
	once := o.oncePassword()
	o.start() // makes the keys; it goes on trying to reach the broker
	m := newMosquitto(t, broker, filepath.Join(o.dir, "data", "trust"))
	m.start()
	o.logIn(once)
	// A device that speaks while the office is away from the broker waits for
	// half a minute before it asks again.
	eventually(t, 30*time.Second, func() string {
		if !strings.Contains(o.log.String(), `msg="session is up"`) {
			return "the office does not reach the broker"
		}
		return ""
	})
	clip := testClip(2 * time.Second)
	o.addClip("ding", wavOf(clip))

	g := newGate(t, o, "M00")
	sims := make([]*simDevice, devices)
	for i := range sims {
		sims[i] = newSimDevice(t, o, fmt.Sprintf("M%02d", i+1), broker)
	}
	o.activate(slotsFrom(o, soon(4*time.Second), 5*time.Second, 1+int(storm/(5*time.Second))))
	g.waitStatus(ready)

	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	begun := time.Now()
	var writing sync.WaitGroup
	for _, d := range sims {
		writing.Go(func() {
			if err := d.write(ctx, 50*time.Millisecond); err != nil {
				t.Error(err)
			}
		})
	}
	restarts := 0
	for ; restarts < atLeastRestarts || time.Since(begun) < storm; restarts++ {
		<-time.After(200*time.Millisecond + time.Duration(dice.Int64N(int64(800*time.Millisecond))))
		m.restart(dice.IntN(2) == 0)
	}
	stop()
	writing.Wait()
	lasted := time.Since(begun)
	eventually(t, 90*time.Second, func() string {
		late := 0
		for _, d := range sims {
			if d.journal.Acked() != d.journal.Last() {
				late++
			}
		}
		if late > 0 {
			return fmt.Sprintf("%d of %d devices have records that were not acked", late, devices)
		}
		return ""
	})
	waitReported(t, o, g, len(g.recordings()))
	g.process.stop(t, 5*time.Second)
	for _, d := range sims {
		if _, _, _, ok := d.plans.Current(); !ok {
			t.Errorf("device %s has no plan", d.id.Device)
		}
	}
	books := o.books()
	sum := sameBooks(t, books, g)
	for _, d := range sims {
		d.stop()
		d.running.Wait()
		sum = sum.plus(sameRecords(t, books, d.id.Device, d.records(t)))
	}
	if dead, err := books.DeadLetters(t.Context(), fleet.DeadFilter{}); err != nil || len(dead) > 0 {
		t.Errorf("dead letters: %+v, %v", dead, err)
	}
	rate := int(float64(sum.of) / lasted.Seconds())
	outcome.Report(t, outcome.Row{
		Fault: "Mosquitto restarted under load", FaultZH: "负载下反复重启 Mosquitto", Tried: restarts, Unit: "restarts", UnitZH: "次",
		Of: sum.of, Lost: sum.lost, Doubled: sum.doubled,
		Note:   fmt.Sprintf("SIGKILL or SIGTERM by lot, %d devices, %d records a second", devices+1, rate),
		NoteZH: fmt.Sprintf("随机用 SIGKILL 或 SIGTERM；%d 台设备，每秒 %d 条记录", devices+1, rate),
	})
}
