package relay

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/png"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"gatecast/controller/fleet"
	"gatecast/controller/sample"
	"gatecast/controller/store"
)

var (
	shanghai = time.FixedZone("CST", 8*3600)
	two      = time.Date(2026, 11, 23, 14, 0, 0, 0, shanghai)
)

// world is 示例街道 with a desk and a clock.
type world struct {
	*Desk
	t       testing.TB
	store   *store.Store
	now     time.Time
	digests []Digest
}

func newWorld(t testing.TB) *world {
	t.Helper()
	db, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "gatecast.db"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	if err := db.ImportRegistry(t.Context(), sample.Registry(two)); err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, store: db, now: two}
	w.Desk, err = New(Options{
		Book: db, Places: db, Settings: db, Zone: shanghai, Now: func() time.Time { return w.now },
		OnDigest: func(d Digest) { w.digests = append(w.digests, d) },
	})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) create(item fleet.RelayItem) fleet.RelayID {
	w.t.Helper()
	if item.Text == "" {
		item.Text = "近期有人冒充燃气公司上门收费。"
	}
	id, err := w.Create(context.Background(), item, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	return id
}

func (w *world) tree(id fleet.RelayID) Tree {
	w.t.Helper()
	_, tree, err := w.Tree(context.Background(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	return tree
}

func (w *world) tick(n Node) {
	w.t.Helper()
	if err := w.Tick(context.Background(), n.Task.ID, fleet.User{Login: "clerk", Name: "李工"}, nil); err != nil {
		w.t.Fatal(err)
	}
}

func TestDueFollowsTheRules(t *testing.T) {
	at := func(day, hour, minute int) time.Time { return time.Date(2026, 11, day, hour, minute, 0, 0, shanghai) }
	tests := []struct {
		tier   int
		urgent bool
		from   time.Time
		want   time.Time
	}{
		{1, false, at(23, 14, 0), at(23, 16, 0)},
		{2, false, at(23, 14, 5), at(23, 18, 5)},
		{3, false, at(23, 14, 22), at(24, 0, 0)},
		{3, false, at(23, 22, 0), at(24, 0, 0)},
		{3, false, at(23, 22, 1), at(24, 12, 0)},
		{3, false, at(30, 23, 59), time.Date(2026, 12, 1, 12, 0, 0, 0, shanghai)},
		{1, true, at(23, 14, 0), at(23, 14, 30)},
		{3, true, at(23, 23, 50), at(24, 0, 20)},
	}
	for _, tt := range tests {
		if got := Default().Due(tt.tier, tt.urgent, tt.from.UTC(), shanghai); !got.Equal(tt.want) {
			t.Errorf("Due(%d, %v, %v) = %v, want %v", tt.tier, tt.urgent, tt.from, got, tt.want)
		}
	}
}

func TestItemGoesDownTheTiers(t *testing.T) {
	w := newWorld(t)
	id := w.create(fleet.RelayItem{Source: "区总指挥群"})
	tree := w.tree(id)
	if got, want := tree.Tiers, [3]Count{{All: 1, Waiting: 1}, {All: 8, Unsent: 8}, {All: 23, Unsent: 23}}; got != want {
		t.Fatalf("at first: %+v, want %+v", got, want)
	}
	w.now = two.Add(5 * time.Minute)
	w.tick(tree.Roots[0])
	tree = w.tree(id)
	if got, want := tree.Tiers, [3]Count{{All: 1, Done: 1}, {All: 8, Waiting: 8}, {All: 23, Unsent: 23}}; got != want || tree.Roots[0].Hop != 5*time.Minute {
		t.Fatalf("after tier 1: %+v in %v, want %+v in 5m", got, tree.Roots[0].Hop, want)
	}
	w.now = two.Add(22 * time.Minute)
	w.tick(tree.Roots[0].Below[0])
	tree = w.tree(id)
	songfeng := tree.Roots[0].Below[0]
	if len(songfeng.Below) != 3 || songfeng.Hop != 17*time.Minute || tree.Tiers[2].Waiting != 3 {
		t.Fatalf("after the first of tier 2: %d below in %v, %+v", len(songfeng.Below), songfeng.Hop, tree.Tiers)
	}
	// Four hours later tier 2 is late, and holds up what is below it.
	w.now = two.Add(5 * time.Hour)
	tree = w.tree(id)
	if len(tree.Stuck) != 7 || tree.Stuck[0].Stops != 4 || tree.Tiers[1].Overdue != 7 || tree.Tiers[2].Unsent != 20 {
		t.Errorf("where it stopped: %d groups, the first holds up %d; %+v", len(tree.Stuck), tree.Stuck[0].Stops, tree.Tiers)
	}
	if err := w.store.CloseRelay(t.Context(), id, w.now); err != nil {
		t.Fatal(err)
	}
	if err := w.Tick(t.Context(), tree.Stuck[0].Task.ID, fleet.User{}, nil); fleet.CodeOf(err) != fleet.Conflict {
		t.Errorf("a tick after the end = %v", err)
	}
	if tree = w.tree(id); len(tree.Stuck) != 0 {
		t.Errorf("%d groups are late with an item that was ended", len(tree.Stuck))
	}
}

func TestItemForSomeUnitsGoesToThemOnly(t *testing.T) {
	w := newWorld(t)
	units, err := w.store.Units(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var some []fleet.UnitID
	for _, u := range units {
		if u.ShortName == "松风" || u.ShortName == "望河" {
			some = append(some, u.ID)
		}
	}
	id := w.create(fleet.RelayItem{Units: some, Urgent: true})
	w.tick(w.tree(id).Roots[0])
	for _, n := range w.tree(id).Roots[0].Below {
		w.tick(n)
	}
	if got, want := w.tree(id).Tiers, [3]Count{{All: 1, Done: 1}, {All: 2, Done: 2}, {All: 6, Waiting: 6}}; got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestSecondTickAddsTheScreenshotOnly(t *testing.T) {
	w := newWorld(t)
	id := w.create(fleet.RelayItem{})
	first := w.tree(id).Roots[0].Task
	w.tick(w.tree(id).Roots[0])
	w.now = w.now.Add(time.Hour)
	var shot bytes.Buffer
	if err := png.Encode(&shot, image.NewGray(image.Rect(0, 0, 8, 8))); err != nil {
		t.Fatal(err)
	}
	if err := w.Tick(t.Context(), first.ID, fleet.User{Login: "other", Name: "王工"}, &shot); err != nil {
		t.Fatal(err)
	}
	got := w.tree(id).Roots[0].Task
	if !got.Shot || got.By != "clerk" || !got.Done.Equal(two) {
		t.Errorf("after a second tick: %+v", got)
	}
	if err := w.Tick(t.Context(), first.ID, fleet.User{}, strings.NewReader("no picture")); fleet.CodeOf(err) != fleet.Invalid {
		t.Errorf("a screenshot that is none = %v", err)
	}
	if n, err := w.store.PruneRelayShots(t.Context(), w.now.Add(time.Hour)); err != nil || n != 1 {
		t.Errorf("PruneRelayShots = %d, %v", n, err)
	}
	if _, err := w.store.RelayShot(t.Context(), first.ID); fleet.CodeOf(err) != fleet.NotFound {
		t.Errorf("the screenshot after it was erased: %v", err)
	}
}

func TestCreateRefusesInWords(t *testing.T) {
	w := newWorld(t)
	tests := []struct {
		name string
		item fleet.RelayItem
	}{
		{"nothing", fleet.RelayItem{Text: " "}},
		{"too_long", fleet.RelayItem{Text: strings.Repeat("字", fleet.LongestRelayText+1)}},
		{"from_the_future", fleet.RelayItem{Text: "字", Received: two.Add(time.Hour)}},
		{"identity_number", fleet.RelayItem{Text: "嫌疑人 11010519491231002X"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := w.Create(t.Context(), tt.item, nil); fleet.CodeOf(err) != fleet.Invalid {
				t.Errorf("Create = %v, want a refusal", err)
			}
		})
	}
	groups, err := w.store.Groups(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.store.MoveGroup(t.Context(), groups[0].ID, fleet.GroupDissolved, 0, two); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Create(t.Context(), fleet.RelayItem{Text: "字"}, nil); fleet.CodeOf(err) != fleet.Invalid {
		t.Errorf("Create without a group of tier 1 = %v", err)
	}
}

func TestDigestComesOnceAMorning(t *testing.T) {
	w := newWorld(t)
	id := w.create(fleet.RelayItem{Text: "冒充燃气公司"})
	look := func(at time.Time, want int) {
		t.Helper()
		w.now = at
		if err := w.Morning(t.Context()); err != nil {
			t.Fatal(err)
		}
		if len(w.digests) != want {
			t.Fatalf("at %v: %d digests, want %d", at, len(w.digests), want)
		}
	}
	next := time.Date(2026, 11, 24, 8, 29, 0, 0, shanghai)
	look(next, 0)
	look(next.Add(time.Minute), 1)
	look(next.Add(2*time.Hour), 1)
	if text := w.digests[0].Text(shanghai); !strings.Contains(text, "示例街道反电诈指挥群") || !strings.Contains(text, "冒充燃气公司") || !strings.Contains(text, "11月23日 16:00") {
		t.Errorf("digest %q", text)
	}
	look(next.AddDate(0, 0, 1).Add(5*time.Hour), 2) // the office was off in the morning
	w.tick(w.tree(id).Roots[0])
	look(next.AddDate(0, 0, 2).Add(-8*time.Hour), 2)
	w.now = next.AddDate(0, 0, 2).Add(time.Hour)
	if over, err := w.Overdue(t.Context()); err != nil || len(over.Rows) != 8 || len(over.Units()) != 8 {
		t.Errorf("after tier 1, the day after: %d rows of %d units, %v", len(over.Rows), len(over.Units()), err)
	}
}

func TestRulesAreKept(t *testing.T) {
	w := newWorld(t)
	r := Rules{Minutes: [3]int{10, 20, 30}, Urgent: 5, Digest: 7 * 60}
	if err := w.SetRules(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if got, err := w.Rules(t.Context()); err != nil || got != r {
		t.Errorf("Rules = %+v, %v", got, err)
	}
	for _, bad := range []Rules{{Minutes: [3]int{-1, 0, 0}, Urgent: 5}, {Urgent: 1}, {Urgent: 5, Digest: 1440}, {Minutes: [3]int{0, 0, 99_999}, Urgent: 5}} {
		if err := w.SetRules(t.Context(), bad); fleet.CodeOf(err) != fleet.Invalid {
			t.Errorf("SetRules(%+v) = %v", bad, err)
		}
	}
}

// TestEveryGroupGetsItsTurnOnce ticks in any order: a group gets one task, only
// after the group above it, and in the end every living group has one.
func TestEveryGroupGetsItsTurnOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var c Chain
		c.Units = append(c.Units, fleet.Unit{ID: 1, Type: fleet.Subdistrict})
		add := func(tier int, unit fleet.UnitID) {
			state := fleet.GroupActive
			if tier > 1 && rapid.IntRange(0, 5).Draw(t, "state") == 0 {
				state = fleet.GroupDissolved
			}
			c.Groups = append(c.Groups, fleet.Group{ID: fleet.GroupID(len(c.Groups) + 1), Tier: tier, Unit: unit, State: state, Code: fmt.Sprint(len(c.Groups))})
		}
		add(1, 1)
		for u := range rapid.IntRange(0, 4).Draw(t, "units") {
			id := fleet.UnitID(u + 2)
			c.Units = append(c.Units, fleet.Unit{ID: id, Parent: 1})
			for range rapid.IntRange(0, 2).Draw(t, "of tier 2") {
				add(2, id)
			}
			for range rapid.IntRange(0, 3).Draw(t, "of tier 3") {
				add(3, id)
			}
		}
		item := fleet.RelayItem{ID: 1}
		var tasks []fleet.RelayTask
		has := map[fleet.GroupID]bool{}
		give := func(groups []fleet.Group, parent fleet.RelayTaskID) {
			for _, g := range groups {
				if !g.State.Lives() {
					t.Fatalf("group %s is no more and has a task", g.Code)
				}
				if !has[g.ID] { // the store keeps one for each group
					has[g.ID] = true
					tasks = append(tasks, fleet.RelayTask{ID: fleet.RelayTaskID(len(tasks) + 1), Item: 1, Group: g.ID, Tier: g.Tier, Parent: parent, Created: two, Due: two.Add(time.Hour)})
				}
			}
		}
		give(c.Start(item), 0)
		living := 0
		for _, g := range c.Groups {
			if g.State.Lives() {
				living++
			}
		}
		for {
			var open []int
			for i, k := range tasks {
				if k.Done.IsZero() {
					open = append(open, i)
				}
			}
			tree := Grow(item, tasks, c, two)
			seen := 0
			for _, n := range tree.Tiers {
				seen += n.All
			}
			if seen != living {
				t.Fatalf("the tree shows %d groups of %d", seen, living)
			}
			if len(open) == 0 {
				break
			}
			k := &tasks[rapid.SampledFrom(open).Draw(t, "who ticks")]
			k.Done = two.Add(time.Minute)
			id := k.ID
			give(c.Next(item, c.Groups[k.Group-1]), id)
		}
		if len(tasks) != living {
			t.Fatalf("%d of %d groups had their turn", len(tasks), living)
		}
	})
}
