package store

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"gatecast/controller/fleet"
	"gatecast/controller/naming"
	"gatecast/internal/wire"
)

const fieldOwnerPhone = "groups.owner_phone"

const groupColumns = `g.id, g.tier, g.code, g.name, g.unit_id, coalesce(g.grid_id, 0), g.seq, g.state, g.platform, g.owner, g.owner_post, g.owner_phone,
g.admins, g.members, g.households, g.joined, g.created, g.changed_us, g.ended_us, coalesce(g.into_id, 0),
(SELECT json_group_array(name) FROM (SELECT name FROM group_names n WHERE n.group_id = g.id ORDER BY n.id))`

func (s *Store) scanGroup(r scanner) (g fleet.Group, err error) {
	var phone, admins, former string
	var changed, ended int64
	if err := r.Scan(&g.ID, &g.Tier, &g.Code, &g.Name, &g.Unit, &g.Grid, &g.Seq, &g.State, &g.Platform, &g.Owner, &g.OwnerPost, &phone,
		&admins, &g.Members, &g.Households, &g.Joined, &g.Created, &changed, &ended, &g.Into, &former); err != nil {
		return g, err
	}
	g.OwnerPhone, g.Changed, g.Ended = s.openPhone(fieldOwnerPhone, phone), wire.FromUS(changed), wire.FromUS(ended)
	if err := json.Unmarshal([]byte(admins), &g.Admins); err != nil {
		return g, fmt.Errorf("administrators of group %s: %w", g.Code, err)
	}
	return g, json.Unmarshal([]byte(former), &g.Former)
}

// Groups returns every group by tier and code, those that ended included.
func (s *Store) Groups(ctx context.Context) ([]fleet.Group, error) {
	return list(ctx, s, "groups", s.scanGroup, `SELECT `+groupColumns+` FROM groups g ORDER BY g.tier, g.code`)
}

var noGroup = &fleet.Error{Code: fleet.NotFound, Text: "没有这个群。", TextEN: "There is no such group."}

// Group returns one group, or a *fleet.Error of code NotFound.
func (s *Store) Group(ctx context.Context, id fleet.GroupID) (fleet.Group, error) {
	return one(ctx, s, noGroup.Text, noGroup.TextEN, s.scanGroup, `SELECT `+groupColumns+` FROM groups g WHERE g.id = ?`, id)
}

// GroupNames returns the names that a group had, the latest first.
func (s *Store) GroupNames(ctx context.Context, id fleet.GroupID) ([]fleet.GroupName, error) {
	return list(ctx, s, "names of a group", func(r scanner) (n fleet.GroupName, err error) {
		var until int64
		err = r.Scan(&n.Name, &until, &n.By)
		n.Until = wire.FromUS(until)
		return n, err
	}, `SELECT name, until_us, by FROM group_names WHERE group_id = ? ORDER BY id DESC`, id)
}

// GroupPeople returns who looks and looked after a group: owners before
// administrators, present ones first.
func (s *Store) GroupPeople(ctx context.Context, id fleet.GroupID) ([]fleet.GroupPerson, error) {
	return list(ctx, s, "people of a group", func(r scanner) (p fleet.GroupPerson, err error) {
		var from, to int64
		err = r.Scan(&p.Owner, &p.Name, &p.Post, &from, &to)
		p.From, p.To = wire.FromUS(from), wire.FromUS(to)
		return p, err
	}, `SELECT owner, name, post, from_us, to_us FROM group_people WHERE group_id = ? ORDER BY owner DESC, to_us > 0, to_us DESC, id DESC`, id)
}

// SaveGroup adds a group, or changes what is known of one, and returns it as it
// is then. A new one without code gets the next 群序 at its place and a code by
// the office's rule. Tier, unit, grid, code and state of one that exists stay,
// whatever g says: see MoveGroup for the state. A name, an owner or an
// administrator that changed goes to the history, by is who said so. What
// fleet.Group.Check refuses is refused.
func (s *Store) SaveGroup(ctx context.Context, g fleet.Group, by string, at time.Time) (fleet.Group, error) {
	id, err := change(ctx, s, func(t *tx) (fleet.GroupID, error) {
		var old fleet.Group
		if g.ID != 0 {
			var err error
			if old, err = s.groupTx(t, g.ID); err != nil {
				return 0, err
			}
			g.Tier, g.Unit, g.Grid, g.Seq, g.Code, g.State = old.Tier, old.Unit, old.Grid, old.Seq, old.Code, old.State
		}
		return s.saveGroupTx(t, old, g, by, at)
	})
	if err != nil {
		return fleet.Group{}, err
	}
	return s.Group(ctx, id)
}

func (s *Store) groupTx(t *tx, id fleet.GroupID) (fleet.Group, error) {
	g, err := s.scanGroup(t.row(`SELECT `+groupColumns+` FROM groups g WHERE g.id = ?`, id))
	return g, found(err, noGroup.Text, noGroup.TextEN)
}

// saveGroupTx stores g over old, the zero Group for a new one.
func (s *Store) saveGroupTx(t *tx, old, g fleet.Group, by string, at time.Time) (fleet.GroupID, error) {
	if g.Tier < 3 {
		g.Grid = 0
	}
	if err := g.Check(); err != nil {
		return 0, err
	}
	if g.Platform == "" {
		g.Platform = fleet.GroupPlatforms[0]
	}
	if g.State == "" {
		g.State = fleet.GroupActive
	}
	if g.Created != "" {
		if _, err := dayNumber(g.Created); err != nil {
			return 0, err
		}
	}
	if old.Owner != g.Owner && old.OwnerPhone == g.OwnerPhone {
		g.OwnerPhone = "" // the number was the former owner's
	}
	phone, err := s.sealPhone(fieldOwnerPhone, g.OwnerPhone)
	if err != nil {
		return 0, err
	}
	if g.Admins == nil {
		g.Admins = []string{}
	}
	if old.ID == 0 {
		if err := s.numberGroupTx(t, &g); err != nil {
			return 0, err
		}
		if err := t.row(`INSERT INTO groups (tier, code, name, unit_id, grid_id, seq, state) VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING id`,
			g.Tier, g.Code, g.Name, g.Unit, null(g.Grid), g.Seq, g.State).Scan(&g.ID); err != nil {
			return 0, err
		}
	}
	if old.ID != 0 && old.Name != g.Name && old.State.Lives() {
		if _, err := t.exec(`INSERT INTO group_names (group_id, name, until_us, by) VALUES (?, ?, ?, ?)`, g.ID, old.Name, wire.US(at), by); err != nil {
			return 0, err
		}
		g.State = fleet.GroupRenamed
	}
	if err := peopleTx(t, g, at); err != nil {
		return 0, err
	}
	_, err = t.exec(`UPDATE groups SET tier = ?, unit_id = ?, grid_id = ?, name = ?, state = ?, platform = ?, owner = ?, owner_post = ?,
owner_phone = CASE WHEN ? = '?' AND owner = ? THEN owner_phone WHEN ? = '?' THEN '' ELSE ? END,
admins = ?, members = ?, households = ?, joined = ?, created = ?, changed_us = ?, ended_us = ?, into_id = ? WHERE id = ?`,
		g.Tier, g.Unit, null(g.Grid), g.Name, g.State, g.Platform, g.Owner, g.OwnerPost,
		phone, g.Owner, phone, phone,
		toJSON(g.Admins), g.Members, g.Households, g.Joined, g.Created, wire.US(at), wire.US(g.Ended), null(g.Into), g.ID)
	return g.ID, err
}

// numberGroupTx gives a new group its 群序 and code. Groups are never deleted,
// so a number above all that there are was never given.
func (s *Store) numberGroupTx(t *tx, g *fleet.Group) error {
	if g.Seq == 0 && g.Code != "" {
		g.Seq = naming.SeqOf(g.Code)
	}
	if g.Seq == 0 || g.Code == "" {
		if err := t.row(`SELECT coalesce(max(seq), 0) + 1 FROM groups WHERE tier = ? AND unit_id = ? AND coalesce(grid_id, 0) = ?`,
			g.Tier, g.Unit, int64(g.Grid)).Scan(&g.Seq); err != nil {
			return err
		}
	}
	if g.Code != "" {
		return nil
	}
	rule, err := ruleTx(t)
	if err != nil {
		return err
	}
	place, err := placeTx(t, *g)
	if err != nil {
		return err
	}
	// Two units with the same number would share codes: the later one goes on
	// with 群序 where the other one ends.
	for {
		g.Code = rule.CodeOf(place, g.Seq)
		var taken bool
		if err := t.row(`SELECT EXISTS (SELECT 1 FROM groups WHERE code = ?)`, g.Code).Scan(&taken); err != nil || !taken {
			return err
		}
		g.Seq++
	}
}

func ruleTx(t *tx) (naming.Rule, error) {
	var text string
	err := t.row(`SELECT coalesce((SELECT value FROM settings WHERE key = ?), '')`, naming.Setting).Scan(&text)
	return naming.Parse(text), err
}

// placeTx returns what the rule needs to know of where g belongs.
func placeTx(t *tx, g fleet.Group) (naming.Place, error) {
	p := naming.Place{Tier: g.Tier}
	err := t.row(`SELECT code, name, short_name, position FROM units WHERE id = ?`, g.Unit).Scan(&p.Unit.Code, &p.Unit.Name, &p.Unit.ShortName, &p.Unit.Order)
	if err = missing(err, "没有这个单位，请重新选择。", "There is no such unit. Choose again."); err != nil {
		return p, err
	}
	if err := t.row(`SELECT coalesce((SELECT code FROM units WHERE parent_id IS NULL AND type = 'subdistrict' ORDER BY id LIMIT 1), '')`).Scan(&p.Subdistrict.Code); err != nil {
		return p, err
	}
	if g.Grid != 0 {
		err = t.row(`SELECT number FROM grids WHERE id = ? AND unit_id = ?`, g.Grid, g.Unit).Scan(&p.Grid)
		err = missing(err, "这个单位没有这个网格，请重新选择。", "The unit has no such grid. Choose again.")
	}
	return p, err
}

// missing is found for what a form chose: a *fleet.Error of code Invalid.
func missing(err error, zh, en string) error {
	if err = found(err, zh, en); fleet.CodeOf(err) == fleet.NotFound {
		return &fleet.Error{Code: fleet.Invalid, Text: zh, TextEN: en}
	}
	return err
}

// peopleTx ends who no longer looks after g, and adds who does since at.
func peopleTx(t *tx, g fleet.Group, at time.Time) error {
	rows, err := t.query(`SELECT id, owner, name, post FROM group_people WHERE group_id = ? AND to_us = 0`, g.ID)
	if err != nil {
		return err
	}
	type now struct {
		id         int64
		owner      bool
		name, post string
	}
	have, err := collect(rows, func(r scanner) (n now, err error) { err = r.Scan(&n.id, &n.owner, &n.name, &n.post); return n, err })
	if err != nil {
		return err
	}
	want := []now{}
	if g.Owner != "" {
		want = append(want, now{owner: true, name: g.Owner, post: g.OwnerPost})
	}
	for _, name := range g.Admins {
		want = append(want, now{name: name})
	}
	same := func(a, b now) bool { return a.owner == b.owner && a.name == b.name }
	for _, h := range have {
		i := slices.IndexFunc(want, func(w now) bool { return same(w, h) })
		switch {
		case i < 0:
			_, err = t.exec(`UPDATE group_people SET to_us = ? WHERE id = ?`, wire.US(at), h.id)
		case want[i].post != h.post:
			_, err = t.exec(`UPDATE group_people SET post = ? WHERE id = ?`, want[i].post, h.id)
		}
		if err != nil {
			return err
		}
	}
	for _, w := range want {
		if slices.ContainsFunc(have, func(h now) bool { return same(w, h) }) {
			continue
		}
		if _, err := t.exec(`INSERT INTO group_people (group_id, owner, name, post, from_us) VALUES (?, ?, ?, ?, ?)`, g.ID, w.owner, w.name, w.post, wire.US(at)); err != nil {
			return err
		}
	}
	return nil
}

// MoveGroup takes a group on in its life: a planned one is made, a living one
// is merged into another or dissolved. A step that cannot be is a *fleet.Error
// of code Conflict. into is the group that lives on, for fleet.GroupMerged.
func (s *Store) MoveGroup(ctx context.Context, id fleet.GroupID, to fleet.GroupState, into fleet.GroupID, at time.Time) (fleet.Group, error) {
	_, err := change(ctx, s, func(t *tx) (none, error) {
		g, err := s.groupTx(t, id)
		if err != nil {
			return none{}, err
		}
		if err := g.MayBecome(to); err != nil {
			return none{}, err
		}
		created, ended := g.Created, int64(0)
		switch to {
		case fleet.GroupActive:
			if created == "" {
				created = fleet.Day(at.Format(time.DateOnly))
			}
			into = 0
		case fleet.GroupMerged:
			other, err := s.groupTx(t, into)
			if err != nil || other.ID == id || !other.State.Lives() || other.Tier != g.Tier || other.Unit != g.Unit {
				return none{}, &fleet.Error{
					Code: fleet.Invalid, Text: "请选择并入哪个群：要是同一单位、同一级别、还在用的另一个群。",
					TextEN: "Choose the group that it was merged into: another living one of the same unit and tier.",
				}
			}
			ended = wire.US(at)
		case fleet.GroupDissolved:
			ended, into = wire.US(at), 0
		}
		if ended > 0 {
			if _, err := t.exec(`UPDATE group_people SET to_us = ? WHERE group_id = ? AND to_us = 0`, ended, id); err != nil {
				return none{}, err
			}
		}
		_, err = t.exec(`UPDATE groups SET state = ?, created = ?, ended_us = ?, into_id = ?, changed_us = ?,
owner_phone = CASE WHEN ? > 0 THEN '' ELSE owner_phone END WHERE id = ?`, to, created, ended, null(into), wire.US(at), ended, id)
		return none{}, err
	})
	if err != nil {
		return fleet.Group{}, err
	}
	return s.Group(ctx, id)
}

// importGroupTx adds or changes what a roster says of a group. With a code it
// is the group of that code. Without one it is the living or planned group at
// that place with that name, now or formerly; then a planned one at that place;
// otherwise it is new and gets a code. Numbers, platform, post, telephone,
// administrators and day of founding that are absent stay as they are.
func (s *Store) importGroupTx(t *tx, g fleet.Group, at time.Time) error {
	old, err := s.knownGroupTx(t, g)
	if err != nil {
		return err
	}
	if old.ID == 0 {
		_, err := s.saveGroupTx(t, old, g, fleet.AuditSelf, at)
		return err
	}
	is := old
	is.Name = g.Name
	if g.Code != "" {
		is.Tier, is.Unit, is.Grid = g.Tier, g.Unit, g.Grid
	}
	if old.State == fleet.GroupPlanned && g.State != fleet.GroupPlanned {
		is.State = fleet.GroupActive
	}
	if g.Owner != "" {
		is.Owner = g.Owner
	}
	for _, v := range []struct{ to, from *string }{{&is.Platform, &g.Platform}, {&is.OwnerPost, &g.OwnerPost}, {(*string)(&is.OwnerPhone), (*string)(&g.OwnerPhone)}, {(*string)(&is.Created), (*string)(&g.Created)}} {
		if *v.from != "" {
			*v.to = *v.from
		}
	}
	for _, v := range []struct{ to, from *int }{{&is.Members, &g.Members}, {&is.Households, &g.Households}, {&is.Joined, &g.Joined}} {
		if *v.from != 0 {
			*v.to = *v.from
		}
	}
	if len(g.Admins) > 0 {
		is.Admins = g.Admins
	}
	if same(old, is) {
		return nil
	}
	_, err = s.saveGroupTx(t, old, is, fleet.AuditSelf, at)
	return err
}

// same reports whether an import changes nothing.
func same(a, b fleet.Group) bool {
	a.Changed, b.Changed = time.Time{}, time.Time{}
	key := func(g fleet.Group) string {
		return g.OwnerPhone.Full() + "\x00" + strings.Join(g.Admins, "\x00") + "\x00" + toJSON(g)
	}
	return key(a) == key(b)
}

func (s *Store) knownGroupTx(t *tx, g fleet.Group) (fleet.Group, error) {
	query, args := `SELECT `+groupColumns+` FROM groups g WHERE g.code = ?`, []any{g.Code}
	if g.Code == "" {
		query = `SELECT ` + groupColumns + ` FROM groups g
WHERE g.tier = ? AND g.unit_id = ? AND coalesce(g.grid_id, 0) = ? AND g.state NOT IN ('merged', 'dissolved')
AND (g.name = ? OR g.state = 'planned' OR EXISTS (SELECT 1 FROM group_names n WHERE n.group_id = g.id AND n.name = ?))
ORDER BY g.name = ? DESC, g.state = 'planned', g.seq LIMIT 1`
		args = []any{g.Tier, g.Unit, int64(g.Grid), g.Name, g.Name, g.Name}
	}
	rows, err := t.query(query, args...)
	if err != nil {
		return fleet.Group{}, err
	}
	all, err := collect(rows, s.scanGroup)
	if err != nil || len(all) == 0 {
		return fleet.Group{}, err
	}
	return all[0], nil
}
