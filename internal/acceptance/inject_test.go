package acceptance

import (
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"gatecast/agent/enrol"
	"gatecast/audio/encode"
	"gatecast/controller/broker"
	"gatecast/controller/trust"
	"gatecast/internal/acceptance/outcome"
	"gatecast/internal/seal"
	"gatecast/internal/wire"
)

// intruder connects to the office's broker.
func intruder(t *testing.T, addr, name string, conf *tls.Config, change func(*mqtt.ClientOptions)) (mqtt.Client, error) {
	t.Helper()
	scheme := "ssl://"
	if conf == nil {
		scheme = "tcp://"
	}
	o := mqtt.NewClientOptions().AddBroker(scheme + addr).SetClientID(name).SetTLSConfig(conf).SetAutoReconnect(false).
		SetConnectRetry(false).SetConnectTimeout(5 * time.Second).SetStore(mqtt.NewMemoryStore())
	if change != nil {
		change(o)
	}
	c := mqtt.NewClient(o)
	tok := c.Connect()
	if !tok.WaitTimeout(10 * time.Second) {
		return nil, errors.New("no answer to CONNECT")
	}
	if tok.Error() != nil {
		return nil, tok.Error()
	}
	t.Cleanup(func() { c.Disconnect(0) })
	return c, nil
}

// refusals counts what was tried and refused of one side.
type refusals struct {
	t              *testing.T
	tried, refused int
}

func (n *refusals) refuse(ok bool, what string) {
	n.t.Helper()
	n.tried++
	if ok {
		n.refused++
	} else {
		n.t.Errorf("%s was not refused", what)
	}
}

// TestRefusesInjectedSound is scenario C17 on the real programs: somebody
// publishes at the broker with a guessed password, plays back an old signed
// plan, swaps the clip on the card, and uses a gate's own certificate for more
// than it is for. Nothing but the approved clip sounds, the plan does not go
// back, and the office reads what was tried, at which point.
func TestRefusesInjectedSound(t *testing.T) {
	t.Parallel()
	n := &refusals{t: t}
	o := newOffice(t)
	clip := testClip(3 * time.Second)
	o.addClip("ding", wavOf(clip))
	g := newGate(t, o, "SL-01-01")
	addr := o.mqtt.addr

	if page := text(o.get("/incidents")); !strings.Contains(page, "没有未处理的安全事件") {
		t.Errorf("an honest gate's arrival is an incident: %s", page)
	}

	// A guessed password, with and without TLS.
	guess := func(o *mqtt.ClientOptions) { o.SetUsername("admin").SetPassword("123456") }
	_, err := intruder(t, addr, string(g.device()), nil, guess)
	n.refuse(err != nil, "a guessed password without TLS")
	_, err = intruder(t, addr, string(g.device()), &tls.Config{InsecureSkipVerify: true}, guess)
	n.refuse(err != nil, "a guessed password")

	// The gate's own certificate, taken from its card.
	id, err := enrol.Load(filepath.Join(g.dir, "identity"), nil)
	if err != nil {
		t.Fatal(err)
	}
	stolen := func() *tls.Config { return id.TLS(func() (time.Time, bool) { return time.Now(), true }) }
	_, err = intruder(t, addr, "d000000000000000000000000", stolen(), nil)
	n.refuse(err != nil, "the name of another gate")
	_, err = intruder(t, addr, broker.ControllerPrefix+"x", stolen(), nil)
	n.refuse(err != nil, "the name of the controller")

	o.activate(slotsFrom(o, time.Now().Add(24*time.Hour), 15*time.Second, 1))
	old := g.waitForPlan("")
	first := soon(22 * time.Second)
	o.activate(slotsFrom(o, first, 15*time.Second, 1))
	present := g.waitForPlan(old.hash)

	// The clip on the card and, with the office's own broker rights, the old
	// plan: both when the gate has started anew.
	var files []string
	eventually(t, 20*time.Second, func() string {
		files, _ = filepath.Glob(filepath.Join(g.dir, "clips", "*")) // the pattern is good
		if len(files) == 1 && !strings.HasSuffix(files[0], ".part") {
			return ""
		}
		return fmt.Sprintf("the gate has clips %q", files)
	})
	g.process.stop(t, 5*time.Second)
	fake, err := encode.FLAC(testClip(4 * time.Second))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(files[0], fake, 0o600); err != nil {
		t.Fatal(err)
	}
	g.start()
	keys, err := trust.Open(filepath.Join(o.dir, "data", "trust"), trust.Options{})
	if err != nil {
		t.Fatal(err)
	}
	evil, err := intruder(t, addr, broker.ControllerPrefix+"evil", keys.ControllerClientTLS(), nil)
	if err != nil {
		t.Fatal(err)
	}
	offer, err := json.Marshal(wire.PlanOffer{
		Version: old.version, PlanDoc: old.plan, ManDoc: old.manifest,
		Plan:     wire.DocRef{SHA256: seal.Hash(old.plan), Size: int64(len(old.plan))},
		Manifest: wire.DocRef{SHA256: seal.Hash(old.manifest), Size: int64(len(old.manifest))},
	})
	if err != nil {
		t.Fatal(err)
	}
	says := func(want ...string) string {
		page := text(o.get("/incidents"))
		for _, w := range want {
			if !strings.Contains(page, w) {
				return fmt.Sprintf("the page of incidents does not say %q: %s", w, page)
			}
		}
		return ""
	}
	eventually(t, 20*time.Second, func() string { // the gate is on its way back
		evil.Publish(wire.Down(g.device(), wire.KindPlan), 0, false, offer)
		return says("松风苑南门", "有人重放旧计划")
	})

	// What the gate's certificate lets nobody do: another gate's topics.
	thief, err := intruder(t, addr, string(g.device()), stolen(), nil)
	if err != nil {
		t.Fatal(err)
	}
	thief.Publish(wire.Down("d000000000000000000000000", wire.KindPlan), 0, false, offer)
	eventually(t, 20*time.Second, func() string {
		return says("松风苑南门", "有人重放旧计划", "存储卡上的文件被换", "陌生人连接消息服务器", "设备冒用别人的名字", "设备越权收发")
	})
	n.refuse(true, "an old plan")
	n.refuse(true, "a swapped clip")
	n.refuse(true, "another gate's topic")
	if over := text(o.get("/")); !strings.Contains(over, "松风苑南门 安全事件：") {
		t.Errorf("the overview does not name the point: %s", over)
	}

	eventually(t, 40*time.Second, func() string {
		if strings.Contains(o.played(), "已播 1") {
			return ""
		}
		return "the overview does not count the slot as played: " + text(o.get("/"))
	})
	recordings := g.recordings()
	if len(recordings) != 1 {
		t.Fatalf("%d recordings, want 1: %v", len(recordings), recordings)
	}
	checkRecording(t, clip, recordings[0])
	if now := g.planOnCard(); now.version < present.version || now.hash == old.hash {
		t.Errorf("plan %d after %d", now.version, present.version)
	}

	// Somebody looked, and says so.
	row := regexp.MustCompile(`action="(/incidents/\d+)"`).FindStringSubmatch(o.get("/incidents"))
	if row == nil {
		t.Fatal("nothing to tick off")
	}
	if res, err := o.clerk.PostForm(o.web+row[1], map[string][]string{"note": {"已到现场查看"}}); err != nil || res.StatusCode != http.StatusOK {
		t.Errorf("ticking off: %v, %v", res, err)
	}
	outcome.ReportAttack(t, outcome.Attack{
		Side: "gate", Attack: "stolen device, guessed password, replay, swapped clip (C17, real programs)", AttackZH: "被盗设备、猜密码、重放、换素材（C17，真实程序）",
		Tried: n.tried, Refused: n.refused, Reported: n.refused, Note: "named on the incidents page with the point", NoteZH: "安全事件页写明点位",
	})
}

// cardPlan is what a gate has accepted.
type cardPlan struct {
	version        uint64
	hash           string
	plan, manifest []byte
}

// planOnCard reads the accepted pair; the zero value where there is none.
func (g *gate) planOnCard() (p cardPlan) {
	g.t.Helper()
	data, err := os.ReadFile(filepath.Join(g.dir, "plan", "accepted"))
	if errors.Is(err, os.ErrNotExist) {
		return p
	}
	if err != nil {
		g.t.Fatal(err)
	}
	head, rest, _ := strings.Cut(string(data), "\n")
	fields := strings.Fields(head)
	at, err := strconv.Atoi(fields[len(fields)-2])
	if err != nil {
		g.t.Fatal(err)
	}
	p.plan, p.manifest = []byte(rest[:at]), []byte(rest[at:])
	doc, err := seal.Peek[wire.Plan](p.plan)
	if err != nil {
		g.t.Fatal(err)
	}
	p.version, p.hash = doc.Version, seal.Hash(p.plan)
	if len(doc.Slots) == 0 {
		p.hash = "" // one without slots is not waited for
	}
	return p
}

// waitForPlan returns the accepted plan once it has slots and is another one
// than before.
func (g *gate) waitForPlan(before string) (p cardPlan) {
	g.t.Helper()
	eventually(g.t, 20*time.Second, func() string {
		if p = g.planOnCard(); p.hash == "" || p.hash == before {
			return fmt.Sprintf("the gate has plan %d", p.version)
		}
		return ""
	})
	return p
}
