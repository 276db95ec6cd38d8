package schedules

import (
	"os"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

func mustRead(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func drawTimeOfDay(t *rapid.T, name string, from, to int) TimeOfDay {
	return TimeOfDay(rapid.IntRange(from, to).Draw(t, name)) * TimeOfDay(time.Minute)
}

func drawText(t *rapid.T, name string) string {
	return rapid.SampledFrom([]string{"早", "真", "true", "0301", "2026-06-07", "a: b", "# x", "'", `"`, "- x", "~", "1e3", "é“”", "null", "*x", "[a]"}).Draw(t, name)
}

func drawDays(t *rapid.T, name string) []DayType {
	return rapid.SliceOfNDistinct(rapid.SampledFrom(DayTypes()), 1, 3, rapid.ID).Draw(t, name)
}

func drawPattern(t *rapid.T, demo bool) Pattern {
	p := Pattern{
		Playlist: rapid.SliceOfN(rapid.SampledFrom([]string{"shuadan", "kefu", "真", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}), 1, 3).Draw(t, "playlist"),
		MaxPlays: rapid.IntRange(0, 8).Draw(t, "max plays"),
		Every:    time.Duration(rapid.IntRange(0, 12).Draw(t, "every")) * time.Minute,
	}
	from, to := 6*60, 21*60
	if demo {
		from, to = 0, 24*60-40
	}
	start := drawTimeOfDay(t, "start", from, to)
	switch rapid.IntRange(0, 3).Draw(t, "form") {
	case 0:
		p.Start, p.Until = start.String(), start+drawTimeOfDay(t, "length", 1, 39)
	case 1:
		p.Start, p.Duration = start.String()+":30", time.Duration(drawTimeOfDay(t, "length", 1, 59))
	case 2:
		p.Start, p.Duration = "0 */2 * * *", 20*time.Minute
	default:
		p.Start, p.Duration = "15 8-20/3 * * 1-6", 40*time.Minute
	}
	if rapid.Bool().Draw(t, "gain") {
		gain := -float64(rapid.IntRange(0, 80).Draw(t, "gain dB")) / 2
		p.GainDB = &gain
	}
	if rapid.Bool().Draw(t, "late") {
		grace := time.Duration(rapid.IntRange(0, 50).Draw(t, "grace")) * time.Second
		p.Grace = &grace
	}
	p.Reason = drawText(t, "reason")
	return p
}

// drawProgramme draws a valid programme, mostly odd and sometimes plain.
func drawProgramme(id string) *rapid.Generator[*Programme] {
	return rapid.Custom(func(t *rapid.T) *Programme {
		p := &Programme{
			ID: id, Name: drawText(t, "name"), Zone: rapid.SampledFrom(zones()).Draw(t, "zone"),
			Demo:    rapid.IntRange(0, 4).Draw(t, "demo") == 0,
			Targets: Targets{All: true, Except: drawSelection(t, "except")},
		}
		if rapid.Bool().Draw(t, "narrow") {
			p.Targets = Targets{Selection: drawSelection(t, "targets")}
		}
		if rapid.Bool().Draw(t, "dates") {
			p.From = Date{2026, time.Month(rapid.IntRange(1, 12).Draw(t, "month")), rapid.IntRange(1, 28).Draw(t, "day")}
			p.To = p.From.AddDays(rapid.IntRange(0, 60).Draw(t, "valid for"))
		}
		p.Quiet.Midday.OffFor = rapid.SampledFrom([][]string{nil, {KindVillage}, {KindIndoor, KindVillage}}).Draw(t, "off for")
		for i := range rapid.IntRange(0, 2).Draw(t, "rules") {
			r := QuietRule{
				ID: id + "-r" + itoa(i), Name: drawText(t, "rule"), Document: drawText(t, "document"),
				From: Date{2026, time.Month(rapid.IntRange(1, 12).Draw(t, "month")), rapid.IntRange(1, 28).Draw(t, "day")},
			}
			r.To = r.From.AddDays(rapid.IntRange(0, 9).Draw(t, "days"))
			if r.AllDay = rapid.Bool().Draw(t, "all day"); !r.AllDay {
				a, b := drawTimeOfDay(t, "from", 0, 1439), drawTimeOfDay(t, "to", 1, 1440)
				if a == b {
					b = a + TimeOfDay(time.Minute)
				}
				r.Times = []TimeRange{{a, b}}
			}
			r.GainDB = -float64(rapid.SampledFrom([]int{0, 0, 3, 6, 40}).Draw(t, "rule gain"))
			if s := drawSelection(t, "rule targets"); s.narrows() {
				r.Targets = &Targets{Selection: s}
			}
			p.Quiet.Dated = append(p.Quiet.Dated, r)
		}
		for i := range rapid.IntRange(1, 3).Draw(t, "slots") {
			s := SlotRule{Key: "s" + itoa(i), Name: drawText(t, "slot"), Pattern: drawPattern(t, p.Demo)}
			if rapid.Bool().Draw(t, "some days") {
				s.Days = drawDays(t, "days")
			}
			if rapid.Bool().Draw(t, "override") {
				o := Override{Days: drawDays(t, "override days"), Pattern: drawPattern(t, p.Demo)}
				if s.Days != nil {
					o.Days = s.Days[:1]
				}
				s.Overrides = []Override{o}
			}
			if k := drawSelection(t, "slot targets").Kinds; len(k) > 0 {
				s.Targets = &Targets{Selection: Selection{Kinds: k}}
			}
			p.Slots = append(p.Slots, s)
		}
		return p
	}).Filter(func(p *Programme) bool { return p.Check() == nil })
}

// sameProgramme are the options under which programmes are equal: what Parse
// remembers of the file does not count, nor whether a list is nil or empty.
func sameProgramme() cmp.Options {
	return cmp.Options{cmpopts.IgnoreUnexported(Programme{}), cmpopts.EquateEmpty()}
}

func TestMarshalRoundTripProperty(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p := drawProgramme("p").Draw(t, "programme")
		roundTrip(t, p)
	})
}

func roundTrip(t interface {
	Fatalf(format string, args ...any)
}, p *Programme) {
	text, err := Marshal(p)
	if err != nil {
		t.Fatalf("Marshal: %v", err)
	}
	again, err := Parse("again.yaml", text)
	if err != nil {
		t.Fatalf("Parse(Marshal): %v\n%s", err, text)
	}
	if diff := cmp.Diff(p, again, sameProgramme()); diff != "" {
		t.Fatalf("programme differs after Marshal and Parse (-before +after):\n%s\n%s", diff, text)
	}
}

func TestMarshalShippedAndFull(t *testing.T) {
	t.Parallel()
	for _, text := range []string{full, string(mustRead(t, "presets/default.yaml"))} {
		roundTrip(t, parsed(t, text))
	}
}

// TestSlotsProperty states what holds for any programmes at any point.
func TestSlotsProperty(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a, b := drawProgramme("a").Draw(t, "a"), drawProgramme("b").Draw(t, "b")
		c, err := NewCompiler([]*Programme{a, b}, nil)
		if err != nil {
			t.Fatal(err)
		}
		p := drawPoint(t)
		// Around a change of the clock, a rule or the end of validity, or anywhere.
		from := rapid.SampledFrom([]Date{
			{2026, time.March, 7}, {2026, time.April, 4}, {2026, time.April, 23}, {2026, time.October, 3}, {2026, time.October, 29}, {2026, time.December, 30},
			a.From, b.To, {2026, time.June, rapid.IntRange(1, 30).Draw(t, "day")},
		}).Draw(t, "from")
		if from.IsZero() {
			from = Date{2026, time.May, 1}
		}
		days := rapid.IntRange(1, 6).Draw(t, "days")
		slots := c.Slots(p, from, days)

		ids := make(map[string]bool)
		for i, s := range slots {
			pr := map[string]*Programme{"a": a, "b": b}[s.Programme]
			checkSlot(t, pr, p, s)
			if ids[s.ID] {
				t.Fatalf("id %s twice", s.ID)
			}
			ids[s.ID] = true
			for _, o := range slots[i+1:] {
				if o.Start.Before(s.Start) {
					t.Fatalf("%s is listed after %s", s.ID, o.ID)
				}
				if s.Silenced == nil && o.Silenced == nil && o.Start.Before(s.End) {
					t.Fatalf("%s (until %s) and %s (from %s) both sound", s.ID, s.End, o.ID, o.Start)
				}
			}
			checkQuiet(t, []*Programme{a, b}, pr, p, s)
		}

		// The answer does not depend on how it is asked for, nor on who asked
		// before, nor on the order of the programmes.
		fresh, err := NewCompiler([]*Programme{b, a}, nil)
		if err != nil {
			t.Fatal(err)
		}
		var single []Slot
		for n := range days {
			single = append(single, fresh.Slots(p, from.AddDays(days-1-n), 1)...)
		}
		slices.SortStableFunc(single, bySlotStart)
		if diff := cmp.Diff(slots, single, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("day by day the slots differ:\n%s", diff)
		}
		// A conflict is reported exactly where a slot yields.
		yields := slices.ContainsFunc(slots, func(s Slot) bool { return s.Silenced != nil && s.Silenced.Rule == SilenceOverlap })
		if reported := len(c.Conflicts([]Point{p}, from, days)) > 0; reported != yields {
			t.Fatalf("conflicts reported %v, slots that yield %v", reported, yields)
		}
	})
}

// checkSlot holds one slot to its programme.
func checkSlot(t *rapid.T, pr *Programme, p Point, s Slot) {
	i := slices.IndexFunc(pr.Slots, func(r SlotRule) bool { return r.Key == s.Key })
	rule := &pr.Slots[i]
	pattern, owed := rule.variant(s.DayType)
	if !owed || !pr.ValidOn(s.Date) || !pr.SlotMatches(s.Key, p) {
		t.Fatalf("%s is not owed: on the day type %v, valid %v, meant for the point %v", s.ID, owed, pr.ValidOn(s.Date), pr.SlotMatches(s.Key, p))
	}
	loc := mustZone(t, pr.Zone)
	w, err := newWindow(pattern)
	if err != nil {
		t.Fatal(err)
	}
	if DateOf(s.Start, loc) != s.Date || s.End.Sub(s.Start) != time.Duration(w.length) {
		t.Fatalf("%s lasts from %s to %s, want %s on its date", s.ID, s.Start.In(loc), s.End.In(loc), time.Duration(w.length))
	}
	// What the clock shows is what was written, or later where it jumps.
	shown := TimeOfDay(wallOf(s.Start, loc).Sub(s.Date.naive()))
	exact := slices.Contains(w.start.times, shown)
	if gap := s.Start.Add(-time.Second).In(loc); !exact && wallOf(s.Start, loc).Sub(wallOf(gap, loc)) == time.Second {
		t.Fatalf("%s starts at %s, which is neither written nor the end of a gap", s.ID, s.Start.In(loc))
	}
	plays := s.Plays()
	if len(plays) < 1 || len(plays) > maxPlays || pattern.MaxPlays > 0 && len(plays) > pattern.MaxPlays {
		t.Fatalf("%s has %d plays", s.ID, len(plays))
	}
	for k, play := range plays {
		if !play.At.Before(s.End) || k > 0 && play.At.Sub(plays[k-1].At) != s.Every || play.Clip != pattern.Playlist[k%len(pattern.Playlist)] {
			t.Fatalf("%s: play %d is %+v", s.ID, k, play)
		}
	}
	if s.Gain > 0 || s.Grace < 0 || s.Grace >= max(s.Every, time.Duration(w.length)) {
		t.Fatalf("%s: gain %v, grace %s", s.ID, s.Gain, s.Grace)
	}
}

// checkQuiet walks through s minute by minute and looks at the clock, as a
// resident would.
func checkQuiet(t *rapid.T, all []*Programme, pr *Programme, p Point, s Slot) {
	if pr.Demo {
		if s.Silenced != nil && s.Silenced.Rule != SilenceOverlap {
			t.Fatalf("%s: a demo is silenced by %s", s.ID, s.Silenced.Rule)
		}
		return
	}
	hit := make(map[string]bool)
	for at := s.Start; at.Before(s.End); at = at.Add(30 * time.Second) {
		local := at.In(mustZone(t, pr.Zone))
		if h := local.Hour(); h >= 22 || h < 6 {
			hit[SilenceNight] = true
		} else if (h == 12 || h == 13) && !slices.Contains(pr.Quiet.Midday.OffFor, p.Kind) {
			hit[SilenceMidday] = true
		}
		for _, q := range all {
			for i := range q.Quiet.Dated {
				r := &q.Quiet.Dated[i]
				if r.GainDB == 0 && (r.Targets == nil || r.Targets.Matches(p)) && inDated(r, at.In(mustZone(t, q.Zone))) {
					hit[r.ID] = true
				}
			}
		}
	}
	switch {
	case s.Silenced == nil && len(hit) > 0:
		t.Fatalf("%s sounds from %s to %s in spite of %v", s.ID, s.Start, s.End, hit)
	case s.Silenced != nil && s.Silenced.Rule != SilenceOverlap && !hit[s.Silenced.Rule]:
		t.Fatalf("%s is silenced by %s, but %v hold", s.ID, s.Silenced.Rule, hit)
	}
}

// inDated reports whether r holds at a local time, by reading the clock.
func inDated(r *QuietRule, local time.Time) bool {
	y, m, d := local.Date()
	today := Date{y, m, d}
	within := func(d Date) bool { return !d.Before(r.From) && !d.After(r.To) }
	if r.AllDay {
		return within(today)
	}
	tod := TimeOfDay(time.Duration(local.Hour())*time.Hour + time.Duration(local.Minute())*time.Minute + time.Duration(local.Second())*time.Second)
	for _, t := range r.Times {
		switch {
		case t.To > t.From:
			if tod >= t.From && tod < t.To && within(today) {
				return true
			}
		case tod >= t.From && within(today), tod < t.To && within(today.AddDays(-1)):
			return true
		}
	}
	return false
}
