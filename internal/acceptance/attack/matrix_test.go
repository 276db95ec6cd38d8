package attack

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"gatecast/internal/acceptance/outcome"
	"gatecast/internal/wire"
)

// cell is one attack by one attacker.
type cell struct {
	by, attack string
	kind       wire.IncidentKind // what the office must hear; empty where noticed says how else it is seen
	noticed    string
	loose      bool          // the attack may silence the honest play; it must sound nothing else
	lead       time.Duration // from the plan to its play; 0 means ten seconds
	do         func(w *world)
}

// The attackers, English and Chinese.
var attackers = map[string]string{
	"malicious broker": "恶意消息服务器", "stolen director key": "被盗的调度密钥", "network attacker": "网络攻击者",
	"swapped file on the card": "换掉卡上文件", "replayed command": "重放命令", "forged time": "伪造时间",
}

// inapplicable are the cells of the list that are none, and why.
var inapplicable = []struct{ by, attack, why string }{
	{"malicious broker", "eavesdrop", "plans, records and states are not secret: no names, no phones, no keys"},
	{"malicious broker", "slow retrieval of clips", "clips come over HTTPS, not through the broker: see network attacker, drop"},
	{"stolen director key", "eavesdrop", "a signing key decrypts nothing"},
	{"stolen director key", "drop, slow, freeze", "a key delays nothing; a plan without slots silences, which the ledger shows as missed"},
	{"stolen device", "all", "it is no way to another gate: own topics, own documents; asserted with the real broker in TestAttemptsAreTold of controller/broker and on the real programs in TestStolenDevice"},
	{"network attacker", "rollback, mix-and-match, arbitrary audio", "needs a TLS server certificate of the office's CA first: then it is a malicious broker"},
	{"swapped file on the card", "drop, slow, freeze, endless data", "a hand at the card pulls it out: offline within minutes"},
	{"replayed command", "freeze, partial, endless data", "a command is one small message"},
	{"forged time", "eavesdrop, partial, arbitrary audio", "time says nothing about sound"},
}

var cells = []cell{
	{by: "malicious broker", attack: "arbitrary audio: a plan by its own key", kind: wire.IncidentForged, do: arbitraryAudio},
	{by: "malicious broker", attack: "arbitrary audio: bits of the signed plan changed", kind: wire.IncidentForged, do: changedBits},
	{by: "malicious broker", attack: "mix-and-match: new plan, old manifest", kind: wire.IncidentMixed, do: mixAndMatch},
	{by: "malicious broker", attack: "mix-and-match: a manifest where the plan belongs", kind: wire.IncidentForged, do: wrongPlace},
	{by: "malicious broker", attack: "mix-and-match: the plan of another gate", kind: wire.IncidentOtherDevice, do: otherGate},
	{by: "malicious broker", attack: "rollback: an old signed plan", kind: wire.IncidentRollback, lead: 14 * time.Second, do: rollback},
	{by: "malicious broker", attack: "endless data: a packet beyond the limit", kind: wire.IncidentEndless, do: endlessPacket},
	{by: "malicious broker", attack: "endless data: a document without end", kind: wire.IncidentEndless, do: endlessDocument},
	{by: "malicious broker", attack: "partial: half of a document", kind: wire.IncidentForged, do: halfDocument},
	{by: "malicious broker", attack: "garbage on every topic", kind: wire.IncidentForged, do: garbage},
	{by: "malicious broker", attack: "drop: nothing comes any more", noticed: "offline at the office; plan_stale, default clip", do: dropAll},
	{by: "malicious broker", attack: "freeze: the same plan for ever", noticed: "plan_stale, default clip", do: freeze},
	{by: "malicious broker", attack: "slow: the time answer is held back", noticed: "clock_untrusted, silent", loose: true, lead: 16 * time.Second, do: slowTime},

	{by: "stolen director key", attack: "arbitrary audio: a clip that nobody approved", kind: wire.IncidentMixed, do: directorOwnClip},
	{by: "stolen director key", attack: "arbitrary audio: a manifest of its own", kind: wire.IncidentForged, do: directorManifest},
	{by: "stolen director key", attack: "arbitrary audio: approved clip at night", kind: wire.IncidentEnvelope, loose: true, do: directorNight},
	{by: "stolen director key", attack: "arbitrary audio: approved clip without pause", kind: wire.IncidentEnvelope, loose: true, lead: 6 * time.Second, do: directorOften},
	{by: "stolen director key", attack: "mix-and-match: a plan for another gate", kind: wire.IncidentOtherDevice, do: directorOther},
	{by: "stolen director key", attack: "rollback: a version below the one held", kind: wire.IncidentRollback, lead: 14 * time.Second, do: directorRollback},
	{by: "stolen director key", attack: "another plan under the same version", kind: wire.IncidentConflict, do: directorConflict},
	{by: "stolen director key", attack: "endless data: a plan of 220,000 plays", kind: wire.IncidentEnvelope, do: directorEndless},

	{by: "network attacker", attack: "eavesdrop and change: a server with its own certificate", kind: wire.IncidentServer, lead: 16 * time.Second, do: impostor},
	{by: "network attacker", attack: "downgrade: a broker without TLS", noticed: "offline at the office, link_down", do: downgrade},
	{by: "network attacker", attack: "drop: the line is cut", noticed: "offline at the office, link_down", do: cutLine},
	{by: "network attacker", attack: "slow, partial: a clip that never ends", noticed: "clip_missing; fetched again", do: slowClip},

	{by: "swapped file on the card", attack: "arbitrary audio: another FLAC under the clip's name", kind: wire.IncidentCardSwapped, loose: true, do: swapClip},
	{by: "swapped file on the card", attack: "arbitrary audio: another FLAC while the agent is off", kind: wire.IncidentCardSwapped, lead: 14 * time.Second, do: swapClipOff},
	{by: "swapped file on the card", attack: "arbitrary audio: a plan of its own on the card", kind: wire.IncidentCardSwapped, loose: true, lead: 14 * time.Second, do: swapPlan},
	{by: "swapped file on the card", attack: "rollback: the old plan put back on the card", kind: wire.IncidentCardSwapped, lead: 16 * time.Second, do: swapBack},

	{by: "replayed command", attack: "replay at once in the same connection", noticed: "nothing: the office itself says a command twice; it is carried out once", do: replayCommand},
	{by: "replayed command", attack: "replay after a restart", kind: wire.IncidentReplayed, lead: 16 * time.Second, do: replayLater},
	{by: "replayed command", attack: "mix-and-match: a command for another gate", kind: wire.IncidentOtherDevice, do: commandOther},
	{by: "replayed command", attack: "arbitrary: a command by its own key", kind: wire.IncidentForged, do: commandForged},

	{by: "forged time", attack: "a time by its own key", kind: wire.IncidentTime, do: timeForged},
	{by: "forged time", attack: "rollback: an old time answer again", kind: wire.IncidentReplayed, lead: 16 * time.Second, do: timeReplayed},
	{by: "forged time", attack: "mix-and-match: the time of another gate", kind: wire.IncidentTime, do: timeOther},
}

// TestRefusesAttacksOnAGate tries every cell.
func TestRefusesAttacksOnAGate(t *testing.T) {
	var mu sync.Mutex
	rows := map[string]*outcome.Attack{}
	t.Run("cells", func(t *testing.T) {
		for _, c := range cells {
			t.Run(strings.ReplaceAll(c.by+"/"+c.attack, " ", "_"), func(t *testing.T) {
				t.Parallel()
				if c.lead == 0 {
					c.lead = 10 * time.Second
				}
				w := newWorld(t, c.lead)
				w.loose = c.loose
				c.do(w)
				if c.kind != "" {
					w.expectIncident(c.kind)
				}
				w.finish()
				mu.Lock()
				defer mu.Unlock()
				r := rows[c.by]
				if r == nil {
					r = &outcome.Attack{Side: "gate", Attack: c.by, AttackZH: attackers[c.by]}
					rows[c.by] = r
				}
				r.Tried++
				if !t.Failed() {
					r.Refused++
					if c.kind != "" {
						r.Reported++
					}
				}
			})
		}
	})
	for by := range attackers {
		r := rows[by]
		if r == nil {
			t.Errorf("nothing was tried by %s", by)
			continue
		}
		seen := r.Refused - r.Reported
		r.Note = fmt.Sprintf("%d reported as an incident of the point", r.Reported)
		r.NoteZH = fmt.Sprintf("%d 起上报为该点位的安全事件", r.Reported)
		if seen > 0 {
			r.Note += fmt.Sprintf(", %d seen as offline, stale plan or clock", seen)
			r.NoteZH += fmt.Sprintf("，%d 起表现为离线、计划过期或时钟待校", seen)
		}
		outcome.ReportAttack(t, *r)
	}
}

// TestInapplicableCellsHaveReasons holds the list of what is not tried to the
// attackers and words that exist.
func TestInapplicableCellsHaveReasons(t *testing.T) {
	for _, c := range inapplicable {
		if _, ok := attackers[c.by]; !ok && c.by != "stolen device" || c.attack == "" || len(c.why) < 20 {
			t.Errorf("cell %+v", c)
		}
	}
}
