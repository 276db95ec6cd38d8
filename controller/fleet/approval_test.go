package fleet

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var (
	clerkA    = User{Login: "a", Name: "甲", Role: Clerk}
	clerkB    = User{Login: "b", Name: "乙", Role: Clerk}
	signerC   = User{Login: "c", Name: "丙", Role: Approver}
	signerD   = User{Login: "d", Name: "丁", Role: Approver}
	adminE    = User{Login: "e", Name: "戊", Role: Admin}
	promotedA = User{Login: "a", Name: "甲", Role: Approver} // the clerk of before
	decidedAt = time.Date(2026, 11, 23, 2, 0, 0, 0, time.UTC)
)

func draft() Clip {
	return Clip{SHA256: "aa", Name: "shuadan", Title: "刷单", Text: "别信", State: ClipDraft, By: "a", Hands: []string{"a"}, Revision: 1}
}

// stepOf is a step as a page asks for it.
func stepOf(c Clip, step ClipStep, by User) ClipDecision {
	return ClipDecision{
		Step: step, By: by, At: decidedAt, Today: "2026-11-23", Revision: c.Revision, Reason: "核对过",
		Terms: ClipTerms{Title: "刷单二", Text: "还是别信"},
	}
}

func walk(t *testing.T, c Clip, steps ...ClipDecision) Clip {
	t.Helper()
	for _, d := range steps {
		d.Revision = c.Revision
		next, _, err := c.Decide(d)
		if err != nil {
			t.Fatalf("%s by %s of a clip that is %s: %v", d.Step, d.By.Login, c.State, err)
		}
		c = next
	}
	return c
}

// TestDecideTable has every step in every state by somebody who may, and says
// where it leads; empty means that it is refused as a conflict.
func TestDecideTable(t *testing.T) {
	start := draft()
	states := map[ClipState]Clip{
		ClipDraft:     start,
		ClipSubmitted: walk(t, start, stepOf(start, StepSubmit, clerkA)),
		ClipReturned:  walk(t, start, stepOf(start, StepSubmit, clerkA), stepOf(start, StepReturn, signerC)),
		ClipApproved:  walk(t, start, stepOf(start, StepSubmit, clerkA), stepOf(start, StepApprove, signerC)),
		ClipRecalled:  walk(t, start, stepOf(start, StepSubmit, clerkA), stepOf(start, StepApprove, signerC), stepOf(start, StepRecall, signerC)),
	}
	want := map[ClipState]map[ClipStep]ClipState{
		ClipDraft:     {StepSubmit: ClipSubmitted, StepEdit: ClipDraft},
		ClipSubmitted: {StepApprove: ClipApproved, StepReturn: ClipReturned, StepEdit: ClipDraft},
		ClipReturned:  {StepSubmit: ClipSubmitted, StepEdit: ClipDraft},
		ClipApproved:  {StepRecall: ClipRecalled, StepEdit: ClipApproved},
		ClipRecalled:  {StepSubmit: ClipSubmitted},
	}
	for state, c := range states {
		if c.State != state {
			t.Fatalf("the walk to %s ended at %s", state, c.State)
		}
		for _, step := range []ClipStep{StepSubmit, StepApprove, StepReturn, StepRecall, StepEdit} {
			by := clerkB
			if step == StepApprove || step == StepReturn || step == StepRecall {
				by = signerD
			}
			next, event, err := c.Decide(stepOf(c, step, by))
			to := want[state][step]
			if to == "" {
				if CodeOf(err) != Conflict {
					t.Errorf("%s of a clip that is %s: %v, want a conflict", step, state, err)
				}
				continue
			}
			if err != nil || next.State != to || next.Revision != c.Revision+1 {
				t.Errorf("%s of a clip that is %s: %s, revision %d, %v, want %s", step, state, next.State, next.Revision, err, to)
			}
			if event.Step != step || event.Was != state || event.Now != to || event.By != by.Login || event.SHA256 != "aa" || event.Terms.Title == "" {
				t.Errorf("%s of a clip that is %s is told as %+v", step, state, event)
			}
		}
	}
}

func TestOnlyASecondApproverSigns(t *testing.T) {
	tests := map[string]struct {
		steps []User // upload is by a; each of these changes and submits it
		by    User
		words string // of the refusal; empty where it is allowed
	}{
		"another_approver":         {[]User{clerkA}, signerC, ""},
		"administrator":            {[]User{clerkA}, adminE, "签发人签发"},
		"another_clerk":            {[]User{clerkA}, clerkB, "签发人签发"},
		"uploader_turned_approver": {[]User{clerkB}, promotedA, "另一位签发人"},
		"who_changed_it_once":      {[]User{clerkB, clerkA}, User{Login: "b", Role: Approver}, "另一位签发人"},
		"admin_turned_approver":    {[]User{adminE}, User{Login: "e", Role: Approver}, "另一位签发人"},
		"unknown_role":             {[]User{clerkA}, User{Login: "x", Role: "boss"}, "签发人签发"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c := draft()
			for _, u := range tt.steps {
				c = walk(t, c, stepOf(c, StepEdit, u), stepOf(c, StepSubmit, u))
			}
			next, _, err := c.Decide(stepOf(c, StepApprove, tt.by))
			var told *Error
			if tt.words == "" {
				if err != nil || next.State != ClipApproved || next.Signer != tt.by.Login || !next.Signed.Equal(decidedAt) {
					t.Errorf("approve = %+v, %v", next, err)
				}
			} else if !errors.As(err, &told) || told.Code != Forbidden || !strings.Contains(told.Text, tt.words) || told.TextEN == "" {
				t.Errorf("approve = %v, want a refusal with %q", err, tt.words)
			}
		})
	}
}

func TestSignOffIsOfWhatWasSeen(t *testing.T) {
	c := walk(t, draft(), stepOf(draft(), StepSubmit, clerkA))
	seen := stepOf(c, StepApprove, signerC)
	c = walk(t, c, stepOf(c, StepEdit, clerkB), stepOf(c, StepSubmit, clerkB))
	if _, _, err := c.Decide(seen); CodeOf(err) != Conflict {
		t.Errorf("sign-off of a text that was changed since: %v", err)
	}
	seen.Revision = 0
	if _, _, err := c.Decide(seen); CodeOf(err) != Conflict {
		t.Errorf("sign-off of nothing in particular: %v", err)
	}
}

// TestChangeOfASignedClipWaits keeps what was signed in force until the change
// is.
func TestChangeOfASignedClipWaits(t *testing.T) {
	c := walk(t, draft(), stepOf(draft(), StepSubmit, clerkA), stepOf(draft(), StepApprove, signerC))
	changed := walk(t, c, stepOf(c, StepEdit, clerkB))
	if changed.State != ClipApproved || changed.Title != "刷单" || !changed.Pending() || changed.Wanted().Title != "刷单二" {
		t.Fatalf("changed = %+v", changed)
	}
	if _, _, err := changed.Decide(stepOf(changed, StepApprove, User{Login: "b", Role: Approver})); CodeOf(err) != Forbidden {
		t.Errorf("who changed it signed it: %v", err)
	}
	if s := walk(t, changed, stepOf(changed, StepApprove, signerC)); s.Title != "刷单二" || s.Text != "还是别信" || s.Pending() {
		t.Errorf("after the sign-off: %+v", s)
	}
	if r := walk(t, changed, stepOf(changed, StepReturn, signerC)); r.State != ClipApproved || r.Title != "刷单" || r.Pending() {
		t.Errorf("after the return: %+v", r)
	}
	if r := walk(t, changed, stepOf(changed, StepRecall, signerC)); r.State != ClipRecalled || r.Pending() {
		t.Errorf("after the recall: %+v", r)
	}
	back := stepOf(changed, StepEdit, clerkB)
	back.Terms = c.Terms()
	if b := walk(t, changed, back); b.Pending() {
		t.Errorf("a change back to what is signed still waits: %+v", b)
	}
}

func TestReasonsAreGiven(t *testing.T) {
	c := draft()
	waits := walk(t, c, stepOf(c, StepSubmit, clerkA))
	signed := walk(t, waits, stepOf(waits, StepApprove, signerC))
	gone := walk(t, signed, stepOf(signed, StepRecall, signerC))
	for step, at := range map[ClipStep]Clip{StepReturn: waits, StepRecall: signed, StepSubmit: gone} {
		by := signerD
		if step == StepSubmit {
			by = clerkA
		}
		for reason, ok := range map[string]bool{"": false, " \n": false, "读错了一个字": true, strings.Repeat("长", MaxClipReason+1): false} {
			d := stepOf(at, step, by)
			d.Reason = reason
			if _, _, err := at.Decide(d); (err == nil) != ok || err != nil && CodeOf(err) != Invalid {
				t.Errorf("%s for %.9q: %v", step, reason, err)
			}
		}
	}
}

func TestTermsAreChecked(t *testing.T) {
	tests := map[string]struct {
		terms ClipTerms
		ok    bool
	}{
		"plain":          {ClipTerms{Title: "t"}, true},
		"today_only":     {ClipTerms{Title: "t", ValidFrom: "2026-11-23", ValidUntil: "2026-11-23"}, true},
		"from_later":     {ClipTerms{Title: "t", ValidFrom: "2027-01-01"}, true},
		"no_title":       {ClipTerms{Title: " "}, false},
		"long_title":     {ClipTerms{Title: strings.Repeat("长", MaxClipTitle+1)}, false},
		"long_text":      {ClipTerms{Title: "t", Text: strings.Repeat("长", MaxClipText+1)}, false},
		"ends_first":     {ClipTerms{Title: "t", ValidFrom: "2026-12-02", ValidUntil: "2026-12-01"}, false},
		"over":           {ClipTerms{Title: "t", ValidUntil: "2026-11-22"}, false},
		"no_such_day":    {ClipTerms{Title: "t", ValidFrom: "2026-02-30"}, false},
		"no_day":         {ClipTerms{Title: "t", ValidUntil: "morgen"}, false},
		"day_out_of_all": {ClipTerms{Title: "t", ValidUntil: "9999-01-01"}, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			d := stepOf(draft(), StepEdit, clerkA)
			d.Terms = tt.terms
			if _, _, err := draft().Decide(d); (err == nil) != tt.ok || err != nil && CodeOf(err) != Invalid {
				t.Errorf("edit to %+v = %v", tt.terms, err)
			}
		})
	}
}

func TestStandingFollowsTheDays(t *testing.T) {
	c := Clip{State: ClipApproved, ValidFrom: "2026-11-24", ValidUntil: "2026-11-30"}
	for day, want := range map[Day]ClipState{
		"": ClipApproved, "2026-11-23": ClipAhead, "2026-11-24": ClipApproved, "2026-11-30": ClipApproved, "2026-12-01": ClipExpired,
	} {
		if got := c.Standing(day); got != want {
			t.Errorf("Standing(%q) = %s, want %s", day, got, want)
		}
	}
	for _, tt := range []struct {
		first, last Day
		want        bool
	}{{"2026-11-24", "2026-11-30", true}, {"2026-11-23", "2026-11-24", false}, {"2026-11-30", "2026-12-01", false}} {
		if got := c.MaySound(tt.first, tt.last); got != tt.want {
			t.Errorf("MaySound(%s, %s) = %v", tt.first, tt.last, got)
		}
	}
	if (Clip{State: ClipSubmitted}).MaySound("2026-11-24", "2026-11-24") {
		t.Error("a clip that nobody signed may sound")
	}
}

// TestNoWalkSignsOnesOwn takes random steps by random people: whatever the
// order, what sounds was signed by an approver without a hand in it, as it
// stands.
func TestNoWalkSignsOnesOwn(t *testing.T) {
	people := []User{clerkA, clerkB, signerC, signerD, adminE, promotedA, {Login: "b", Role: Approver}, {Login: "c", Role: Clerk}, {Login: "s", Role: Supervisor}, {Login: "p", Role: PropertyAccount}}
	steps := []ClipStep{StepSubmit, StepApprove, StepReturn, StepRecall, StepEdit}
	rapid.Check(t, func(t *rapid.T) {
		c := draft()
		hands := map[string]bool{"a": true}
		signed := ClipTerms{}
		for range rapid.IntRange(1, 30).Draw(t, "n") {
			d := stepOf(c, rapid.SampledFrom(steps).Draw(t, "step"), rapid.SampledFrom(people).Draw(t, "by"))
			d.Terms.Title = rapid.SampledFrom([]string{"一", "二"}).Draw(t, "title")
			before := c
			next, _, err := c.Decide(d)
			if err != nil {
				continue
			}
			c = next
			switch d.Step {
			case StepSubmit, StepEdit:
				hands[d.By.Login] = true
			case StepApprove:
				signed = before.Wanted()
				if hands[d.By.Login] || d.By.Role != Approver {
					t.Fatalf("%s (%s) signed; hands %v", d.By.Login, d.By.Role, hands)
				}
			}
			for login := range hands {
				if !slices.Contains(c.Hands, login) {
					t.Fatalf("%s is forgotten: %v", login, c.Hands)
				}
			}
			if c.State == ClipApproved && c.Terms() != signed {
				t.Fatalf("%+v is in force, %+v was signed", c.Terms(), signed)
			}
		}
	})
}
