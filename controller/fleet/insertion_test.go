package fleet

import (
	"testing"
	"time"
)

var (
	urgentClerk = User{Login: "clerk", Role: Clerk}
	urgentChen  = User{Login: "chen", Role: Approver}
	urgentLiu   = User{Login: "liu", Role: Approver}
	urgentSun   = User{Login: "sun", Role: Approver}
	zone8       = time.FixedZone("CST", 8*3600)
)

func hour(h, m int) time.Time { return time.Date(2026, 11, 23, h, m, 0, 0, zone8) }

func TestQuietHours(t *testing.T) {
	tests := []struct {
		name        string
		from, until time.Time
		want        Quiet
	}{
		{"morning", hour(10, 25), hour(10, 27), NotQuiet}, {"last_minute_before_midday", hour(11, 58), hour(11, 59), NotQuiet},
		{"into_midday", hour(11, 58), hour(12, 1), Midday}, {"midday", hour(13, 59), hour(13, 59), Midday}, {"after_midday", hour(14, 0), hour(14, 5), NotQuiet},
		{"into_the_night", hour(21, 59), hour(22, 0), Night}, {"night", hour(23, 0), hour(23, 2), Night}, {"small_hours", hour(5, 59), hour(6, 10), Night},
		{"six", hour(6, 0), hour(6, 1), NotQuiet}, {"from_midday_into_the_night", hour(13, 0), hour(22, 30), Night},
	}
	for _, tt := range tests {
		if got := DefaultQuietHours().Over(tt.from, tt.until); got != tt.want {
			t.Errorf("%s: Over = %q, want %q", tt.name, got, tt.want)
		}
	}
}

func urgentClip() Clip {
	return Clip{ID: 4, SHA256: "aa", Title: "冒充燃气公司", Rate: 24000, Frames: 24000 * 20, State: ClipApproved}
}

func wanted(at time.Time) Insertion {
	return Insertion{Area: Area{All: true}, Points: []PointID{1}, Repeats: 3, Until: at.Add(time.Hour), Reason: "骗子正在入户"}
}

func TestSubmitInsertion(t *testing.T) {
	tests := []struct {
		name   string
		by     User
		at     time.Time
		clip   ClipState
		change func(*Insertion)
		state  InsertionState
		needs  int
		code   Code
	}{
		{"clip_of_the_library_by_day", urgentClerk, hour(10, 25), ClipApproved, nil, InsertionWaiting, 1, ""},
		{"any_other_clip", urgentClerk, hour(10, 25), ClipSubmitted, nil, InsertionWaiting, 2, ""},
		{"expired_clip", urgentClerk, hour(10, 25), ClipExpired, nil, InsertionWaiting, 2, ""},
		{"at_midday", urgentClerk, hour(12, 30), ClipApproved, nil, InsertionWaiting, 2, ""},
		{"at_night", urgentClerk, hour(22, 30), ClipApproved, nil, InsertionWaiting, 2, ""},
		{"sounds_first", urgentChen, hour(10, 25), ClipSubmitted, func(i *Insertion) { i.First = true }, InsertionLive, 2, ""},
		{"first_without_the_right", urgentClerk, hour(10, 25), ClipApproved, func(i *Insertion) { i.First = true }, "", 0, Forbidden},
		{"first_at_midday", urgentChen, hour(12, 30), ClipApproved, func(i *Insertion) { i.First = true }, "", 0, Forbidden},
		{"first_at_night", urgentChen, hour(22, 30), ClipApproved, func(i *Insertion) { i.First = true }, "", 0, Forbidden},
		{"supervisor", User{Login: "w", Role: Supervisor}, hour(10, 25), ClipApproved, nil, "", 0, Forbidden},
		{"recalled_clip", urgentClerk, hour(10, 25), ClipRecalled, nil, "", 0, Conflict},
		{"nowhere", urgentClerk, hour(10, 25), ClipApproved, func(i *Insertion) { i.Points = nil }, "", 0, Invalid},
		{"no_reason", urgentClerk, hour(10, 25), ClipApproved, func(i *Insertion) { i.Reason = "" }, "", 0, Invalid},
		{"too_often", urgentClerk, hour(10, 25), ClipApproved, func(i *Insertion) { i.Repeats = MaxRepeats + 1 }, "", 0, Invalid},
		{"never", urgentClerk, hour(10, 25), ClipApproved, func(i *Insertion) { i.Repeats = 0 }, "", 0, Invalid},
		{"over_already", urgentClerk, hour(10, 25), ClipApproved, func(i *Insertion) { i.Until = hour(10, 25) }, "", 0, Invalid},
		{"does_not_fit", urgentClerk, hour(10, 25), ClipApproved, func(i *Insertion) { i.Until = hour(10, 26) }, "", 0, Invalid},
		{"tomorrow", urgentClerk, hour(10, 25), ClipApproved, func(i *Insertion) { i.Until = hour(24, 1) }, "", 0, Invalid},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := wanted(tt.at)
			if tt.change != nil {
				tt.change(&w)
			}
			clip := urgentClip()
			clip.State = tt.clip
			i, err := w.Submit(tt.by, clip, tt.clip, DefaultQuietHours(), tt.at)
			if tt.code != "" {
				if err == nil || CodeOf(err) != tt.code {
					t.Errorf("Submit = %v, want %s", err, tt.code)
				}
				return
			}
			if err != nil || i.State != tt.state || i.Needs(NotQuiet) != tt.needs || i.Start.IsZero() == (tt.state == InsertionLive) {
				t.Errorf("Submit = %+v, %v, want %s with %d signatures", i, err, tt.state, tt.needs)
			}
		})
	}
}

func TestSignInsertion(t *testing.T) {
	type step struct {
		by   User
		code Code
	}
	tests := []struct {
		name  string
		clip  ClipState
		by    User
		first bool
		steps []step
		state InsertionState
		open  bool // it still waits for a confirmation
	}{
		{"one_for_the_library", ClipApproved, urgentClerk, false, []step{{urgentChen, ""}}, InsertionLive, false},
		{"the_submitter_never", ClipApproved, urgentChen, false, []step{{urgentChen, Forbidden}}, InsertionWaiting, false},
		{"no_clerk", ClipApproved, urgentChen, false, []step{{urgentClerk, Forbidden}}, InsertionWaiting, false},
		{"one_is_not_enough_for_others", ClipSubmitted, urgentClerk, false, []step{{urgentChen, ""}}, InsertionWaiting, false},
		{"twice_the_same", ClipSubmitted, urgentClerk, false, []step{{urgentChen, ""}, {urgentChen, Conflict}}, InsertionWaiting, false},
		{"two_for_others", ClipSubmitted, urgentClerk, false, []step{{urgentChen, ""}, {urgentLiu, ""}}, InsertionLive, false},
		{"a_third_is_late", ClipSubmitted, urgentClerk, false, []step{{urgentChen, ""}, {urgentLiu, ""}, {urgentSun, Conflict}}, InsertionLive, false},
		{"first_and_open", ClipSubmitted, urgentChen, true, []step{{urgentChen, Forbidden}}, InsertionLive, true},
		{"first_and_confirmed", ClipSubmitted, urgentChen, true, []step{{urgentLiu, ""}, {urgentSun, Conflict}}, InsertionLive, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			at := hour(10, 25)
			w := wanted(at)
			w.First = tt.first
			i, err := w.Submit(tt.by, urgentClip(), tt.clip, DefaultQuietHours(), at)
			if err != nil {
				t.Fatal(err)
			}
			for n, s := range tt.steps {
				next, err := i.Sign(s.by, DefaultQuietHours(), at.Add(time.Minute))
				if (err == nil) != (s.code == "") || err != nil && CodeOf(err) != s.code {
					t.Fatalf("signature %d = %v, want %q", n+1, err, s.code)
				}
				if err == nil {
					i = next
				}
			}
			if i.State != tt.state || i.Unconfirmed() != tt.open {
				t.Errorf("state %s, unconfirmed %v, want %s, %v", i.State, i.Unconfirmed(), tt.state, tt.open)
			}
		})
	}
}

// TestSignInsertionAtMidday: what was submitted before the quiet hours needs two
// as soon as they have come.
func TestSignInsertionAtMidday(t *testing.T) {
	i, err := wanted(hour(11, 50)).Submit(urgentClerk, urgentClip(), ClipApproved, DefaultQuietHours(), hour(11, 50))
	if err != nil {
		t.Fatal(err)
	}
	if i, err = i.Sign(urgentChen, DefaultQuietHours(), hour(12, 5)); err != nil || i.State != InsertionWaiting {
		t.Fatalf("one signature at midday: %s, %v", i.State, err)
	}
	if i, err = i.Sign(urgentLiu, DefaultQuietHours(), hour(12, 6)); err != nil || i.State != InsertionLive {
		t.Errorf("two signatures at midday: %s, %v", i.State, err)
	}
	if _, err := i.Sign(urgentSun, DefaultQuietHours(), hour(13, 0)); CodeOf(err) != Conflict {
		t.Errorf("signing what is over = %v", err)
	}
}

func TestEndInsertion(t *testing.T) {
	at := hour(10, 25)
	i, err := wanted(at).Submit(urgentClerk, urgentClip(), ClipApproved, DefaultQuietHours(), at)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := i.End(User{Login: "other", Role: Clerk}, "", at); CodeOf(err) != Forbidden {
		t.Errorf("another clerk cancels it: %v", err)
	}
	if got, err := i.End(urgentChen, "不妥", at); err != nil || got.State != InsertionRefused {
		t.Errorf("an approver: %s, %v", got.State, err)
	}
	if got, err := i.End(urgentClerk, "", at); err != nil || got.State != InsertionCancelled {
		t.Errorf("the submitter: %s, %v", got.State, err)
	}
	if _, err := i.End(urgentChen, "", at.Add(2*time.Hour)); CodeOf(err) != Conflict {
		t.Errorf("what is over: %v", err)
	}
}

func TestUnconfirmedInsertionLapses(t *testing.T) {
	at := hour(9, 0)
	w := wanted(at)
	w.First, w.Until = true, at.Add(8*time.Hour)
	i, err := w.Submit(urgentChen, urgentClip(), ClipApproved, DefaultQuietHours(), at)
	if err != nil {
		t.Fatal(err)
	}
	if _, late := i.Lapse(at.Add(ConfirmWithin - time.Second)); late {
		t.Error("stopped before its time")
	}
	if got, late := i.Lapse(at.Add(ConfirmWithin)); !late || got.State != InsertionUnconfirmed {
		t.Errorf("after two hours: %s, %v", got.State, late)
	}
	signed, err := i.Sign(urgentLiu, DefaultQuietHours(), at.Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	if _, late := signed.Lapse(at.Add(3 * time.Hour)); late {
		t.Error("stopped although it was confirmed")
	}
}

// A drill takes one other person, never sounds first and keeps the quiet hours.
func TestDrill(t *testing.T) {
	w := wanted(hour(10, 25))
	w.Drill, w.Repeats, w.Until = DrillTone, 1, hour(16, 0)
	i, err := w.Submit(urgentClerk, urgentClip(), ClipDraft, DefaultQuietHours(), hour(10, 25))
	if err != nil || i.Needs(NotQuiet) != 1 {
		t.Fatalf("Submit = %+v, %v", i, err)
	}
	if _, err := i.Sign(urgentChen, DefaultQuietHours(), hour(12, 0)); CodeOf(err) != Forbidden {
		t.Errorf("signed at noon: %v, want Forbidden", err)
	}
	if i, err = i.Sign(urgentChen, DefaultQuietHours(), hour(10, 30)); err != nil || i.State != InsertionLive {
		t.Fatalf("Sign = %+v, %v", i, err)
	}
	i.ID = 3
	if got := i.Slot(zone8); got != "2026-11-23.drill-3.now" {
		t.Errorf("Slot = %q: nobody sees that it was a drill", got)
	}
	if got := i.Approved(); !got.Equal(hour(10, 30)) {
		t.Errorf("Approved = %s", got)
	}
	w.First = true
	if _, err := w.Submit(urgentChen, urgentClip(), ClipApproved, DefaultQuietHours(), hour(10, 25)); CodeOf(err) != Forbidden {
		t.Errorf("a drill that sounds first: %v, want Forbidden", err)
	}
	w.First = false
	if _, err := w.Submit(urgentClerk, urgentClip(), ClipApproved, DefaultQuietHours(), hour(12, 30)); CodeOf(err) != Forbidden {
		t.Errorf("a drill at noon: %v, want Forbidden", err)
	}
}

func TestParseDayTimes(t *testing.T) {
	for text, want := range map[string]DayTimes{"22:00-06:00": {1320, 360}, " 12:00 - 14:30 ": {720, 870}, "": {}} {
		if got, err := ParseDayTimes(text); err != nil || got != want {
			t.Errorf("ParseDayTimes(%q) = %v, %v, want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"22-6", "22:00", "25:00-06:00"} {
		if _, err := ParseDayTimes(text); err == nil {
			t.Errorf("ParseDayTimes(%q) is taken", text)
		}
	}
	if got := (DayTimes{1320, 360}).String(); got != "22:00–06:00" {
		t.Errorf("String = %q", got)
	}
}
