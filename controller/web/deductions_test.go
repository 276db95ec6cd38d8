package web

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"gatecast/controller/assessment"
	"gatecast/controller/fleet"
)

// deducted makes a rule and a deduction for what sounded in no evening of
// yesterday, and adds their pages.
func (w *world) deducted(t testing.TB, pages map[string]string) fleet.Deduction {
	t.Helper()
	clerk := fleet.User{Login: "clerk", Name: "李工", Role: fleet.Clerk}
	desk := w.server.o.Deductions
	rule, err := desk.SaveRule(t.Context(), clerk, fleet.DeductionRule{
		Code: "播放-1", Text: strings.Repeat("早中晚时段少播的，每段扣分。", 6), Points: 50, From: "2026-01-01", Verdicts: []fleet.Verdict{fleet.Missed, fleet.Partial, fleet.Doubt},
	}, testNow)
	if err != nil {
		t.Fatal(err)
	}
	slots, err := w.store.Slots(t.Context(), fleet.SlotQuery{From: "2026-11-09", To: "2026-11-23", Verdicts: rule.Verdicts})
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range slots {
		d, err := desk.Propose(t.Context(), clerk, assessment.Proposal{Unit: o.Unit, Rule: rule.ID, Slots: []assessment.Pick{{Point: o.Point, Slot: o.Slot}}, Ground: "周通报核对时发现。"}, testNow)
		if fleet.CodeOf(err) == fleet.Conflict {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if d, err = desk.Notify(t.Context(), clerk, d.ID, 5, testNow); err != nil {
			t.Fatal(err)
		}
		pages["deductions"], pages["deduction"], pages["deduction_notice"] = "/deductions", deductionPath(d.ID), deductionPath(d.ID)+"/notice"
		pages["deduction_rules"] = "/deductions/rules?edit=" + url.QueryEscape(rule.Code)
		pages["deduction_new"] = "/deductions/new?" + url.Values{"rule": {"1"}, "unit": {unitText(o.Unit)}, "from": {"2026-11-16"}, "to": {"2026-11-23"}}.Encode()
		return d
	}
	t.Fatalf("nothing can be deducted for in the world, of %d slots", len(slots))
	return fleet.Deduction{}
}

func unitText(id fleet.UnitID) string { return strings.TrimPrefix(unitPath(id), "/units/") }

// TestBulletinTellsOfDecisions: a notice and its revocation stand in the weekly
// bulletin of the week in which they happened.
func TestBulletinTellsOfDecisions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d := w.deducted(t, map[string]string{})
	approver := fleet.User{Login: "approver", Name: "陈工", Role: fleet.Approver}
	if _, err := w.server.o.Deductions.Decide(t.Context(), approver, d.ID, fleet.DeductionRevoked, "停电属实", testNow.AddDate(0, 0, 7)); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		days int
		want string
	}{{7, "松风社区扣分告知〔2026〕1号（播放-1第1版，0.5分）已告知"}, {14, "撤销，扣分由0.5分改为0分。理由：停电属实"}} {
		at := testNow.AddDate(0, 0, tt.days)
		if made, err := w.bulletins.Prepare(t.Context(), at); err != nil || !made {
			t.Fatalf("no draft of the week before %s: %v, %v", at, made, err)
		}
		drafts, _, err := w.store.Bulletins(t.Context(), fleet.BulletinFilter{Kinds: []fleet.BulletinKind{fleet.WeeklyBulletin}})
		if err != nil {
			t.Fatal(err)
		}
		said := ""
		for _, b := range drafts {
			if b.To != fleet.Day(at.AddDate(0, 0, -1).Format("2006-01-02")) {
				continue
			}
			c, err := w.bulletins.Compose(t.Context(), b, at)
			if err != nil {
				t.Fatal(err)
			}
			for _, ch := range c.Chapters {
				if ch.Name == fleet.ChapterDeductions {
					said = strings.Join(ch.Facts, "")
				}
			}
		}
		if !strings.Contains(said, tt.want) {
			t.Errorf("the bulletin of the week before %s says %q, want %q", at, said, tt.want)
		}
	}
}

func TestDeductionFormKeepsWhatWasTyped(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.as(t, "clerk")
	form := url.Values{"base": {"0"}, "code": {"播放-2"}, "text": {"每少播一段扣分"}, "points": {"半分"}, "from": {"2026-01-01"}, "verdict": {"doubt"}}
	res := c.post("/deductions/rules", form)
	if res.Code != http.StatusUnprocessableEntity {
		t.Fatalf("status %d", res.Code)
	}
	body := res.Body.String()
	for _, want := range []string{"不是分值", "每少播一段扣分", `value="播放-2"`, `value="半分"`, `value="doubt" checked`} {
		if !strings.Contains(body, want) {
			t.Errorf("the form lost %q", want)
		}
	}
}

// TestDeductionIsDecidedByAnother walks the office's side in the browser's
// forms: a supervisor may not uphold before the deadline, and may revoke.
func TestDeductionIsDecidedByAnother(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d := w.deducted(t, map[string]string{})
	path := deductionPath(d.ID)
	c := w.as(t, "inspector")
	if res := c.post(path+"/decide", url.Values{"to": {"upheld"}, "reason": {"证据充分"}}); res.Code != http.StatusUnprocessableEntity || !strings.Contains(res.Body.String(), "申诉期限未满") {
		t.Errorf("upheld before the deadline: %d", res.Code)
	}
	if said := c.page("/deductions").text("#totals"); !strings.Contains(said, "0.5") {
		t.Errorf("the totals say %q", said)
	}
	if res := c.post(path+"/decide", url.Values{"to": {"revoked"}, "reason": {"停电属实"}}); res.Code != http.StatusSeeOther {
		t.Fatalf("status %d", res.Code)
	}
	if said := c.page(path).text("#steps"); !strings.Contains(said, "撤销") || !strings.Contains(said, "王工") || !strings.Contains(said, "停电属实") {
		t.Errorf("the history says %q", said)
	}
	if res := c.post(path+"/decide", url.Values{"to": {"revoked"}, "reason": {"再来一次"}}); res.Code != http.StatusUnprocessableEntity {
		t.Errorf("a second decision: %d", res.Code)
	}
}
