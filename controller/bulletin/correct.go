package bulletin

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"gatecast/controller/fleet"
)

// Offer is what a correction of an issued bulletin would say. It is empty while
// nothing turned out otherwise.
type Offer struct {
	Changes []fleet.BulletinChange
	Slots   []string // a line for each slot of the period that changed
	Seal    string   // of the content that it would lead to
	Given   []fleet.BulletinCorrection
	now     fleet.BulletinContent
}

// Empty reports whether there is nothing to correct.
func (o Offer) Empty() bool { return len(o.Changes) == 0 && len(o.Slots) == 0 }

// Offer compares an issued weekly bulletin, with its corrections, with what its
// sources say now. Other kinds have nothing to compare.
func (d *Desk) Offer(ctx context.Context, b fleet.Bulletin, now time.Time) (o Offer, err error) {
	if b.State != fleet.BulletinIssued || b.Kind != fleet.WeeklyBulletin {
		return o, nil
	}
	if o.Given, err = d.o.Archive.BulletinCorrections(ctx, b.ID); err != nil {
		return o, fmt.Errorf("reading corrections: %w", err)
	}
	said, err := b.Frozen()
	if err != nil {
		return o, err
	}
	if n := len(o.Given); n > 0 {
		if err := json.Unmarshal(o.Given[n-1].Content, &said); err != nil {
			return o, fmt.Errorf("content of correction %d: %w", o.Given[n-1].ID, err)
		}
	}
	if o.now, _, err = d.compose(ctx, b, now); err != nil {
		return o, err
	}
	o.Changes = diff(said, o.now)
	changed, err := d.o.Archive.BulletinChanges(ctx, b.ID)
	if err != nil {
		return o, fmt.Errorf("reading changes: %w", err)
	}
	points, err := d.o.Places.Points(ctx, fleet.PointFilter{})
	if err != nil {
		return o, fmt.Errorf("reading points: %w", err)
	}
	name := map[fleet.PointID]string{}
	for _, p := range points {
		name[p.ID] = p.Name
	}
	for _, c := range changed {
		o.Slots = append(o.Slots, fmt.Sprintf("%s %s %s：%s→%s", name[c.Point], c.Was.Day, c.Name, d.settled(c.Was), d.settled(c.Now)))
	}
	o.Seal, err = Seal(o.now)
	return o, err
}

func (d *Desk) settled(s fleet.Settlement) string {
	word := d.o.Say("verdict." + string(s.Verdict))
	if s.Reason != "" {
		word += "（" + d.o.Say("reason."+string(s.Reason)) + "）"
	}
	return word
}

// Correct signs what Offer says, if that is still what seal was made of. It is
// printed in the next issue.
func (d *Desk) Correct(ctx context.Context, by fleet.User, id fleet.BulletinID, seal string, now time.Time) (fleet.BulletinCorrection, error) {
	var c fleet.BulletinCorrection
	if !fleet.May(by.Role, fleet.ActApprove) {
		return c, forbidden()
	}
	b, err := d.o.Book.Bulletin(ctx, id)
	if err != nil {
		return c, err
	}
	o, err := d.Offer(ctx, b, now)
	if err != nil {
		return c, err
	}
	if o.Empty() {
		return c, &fleet.Error{Code: fleet.Conflict, Text: "签发之后（或上次更正之后）没有变化，不需要更正。", TextEN: "Nothing changed since the signing or the last correction; there is nothing to correct."}
	}
	if o.Seal != seal {
		return c, &fleet.Error{Code: fleet.Conflict, Text: "你打开页面之后数字又变了，请核对新的数字再出具更正。", TextEN: "Figures changed again since you opened the page. Check the new ones, then correct."}
	}
	content, err := encode(o.now)
	if err != nil {
		return c, err
	}
	c = fleet.BulletinCorrection{Bulletin: id, Year: now.In(d.o.Zone).Year(), At: now, By: by.Login, Name: by.Name, Changes: o.Changes, Slots: o.Slots, Content: content}
	if c, err = d.o.Archive.CorrectBulletin(ctx, c, len(o.Given)); err != nil {
		return c, err
	}
	d.o.Logger.Info("bulletin corrected", "bulletin", id, "number", c.Number, "by", by.Login)
	return c, nil
}

// corrected are the chapters whose figures are compared: the others tell of
// what was done by the day of signing.
var corrected = []string{fleet.ChapterCases, fleet.ChapterCards, fleet.ChapterPersons, fleet.ChapterPlayback}

// diff lists the figures that differ, by table, row and column, and the
// sentences that do.
func diff(was, now fleet.BulletinContent) (all []fleet.BulletinChange) {
	for _, name := range corrected {
		a, b := chapter(was, name), chapter(now, name)
		for i := range max(len(a.Tables), len(b.Tables)) {
			all = append(all, diffTables(tableAt(a, i), tableAt(b, i))...)
		}
		title := cmpTitle(a, b)
		for i := range max(len(a.Notes), len(b.Notes)) {
			if x, y := at(a.Notes, i), at(b.Notes, i); x != y {
				all = append(all, fleet.BulletinChange{Table: title, Row: none, Column: "注", Was: orNone(x), Now: orNone(y)})
			}
		}
	}
	return all
}

func chapter(c fleet.BulletinContent, name string) fleet.BulletinChapter {
	for _, ch := range c.Chapters {
		if ch.Name == name {
			return ch
		}
	}
	return fleet.BulletinChapter{}
}

func cmpTitle(a, b fleet.BulletinChapter) string {
	if a.Title != "" {
		return a.Title
	}
	return b.Title
}

// tableAt is the i-th table of sums of a chapter; a list of the worst is none.
func tableAt(c fleet.BulletinChapter, i int) (t fleet.BulletinTable) {
	if i < len(c.Tables) && c.Tables[i].Sum {
		return c.Tables[i]
	}
	return t
}

func at(list []string, i int) string {
	if i < len(list) {
		return list[i]
	}
	return ""
}

func orNone(s string) string {
	if s == "" {
		return none
	}
	return s
}

func diffTables(was, now fleet.BulletinTable) (all []fleet.BulletinChange) {
	head, caption := now.Head, was.Caption
	if len(head) == 0 {
		head = was.Head
	}
	if caption == "" {
		caption = now.Caption
	}
	caption, _, _ = strings.Cut(caption, "　")
	row := func(t fleet.BulletinTable, name string) []string {
		i := slices.IndexFunc(t.Rows, func(r []string) bool { return r[0] == name })
		if i < 0 {
			return nil
		}
		return t.Rows[i]
	}
	var names []string
	for _, t := range []fleet.BulletinTable{was, now} {
		for _, r := range t.Rows {
			names = appendNew(names, r[0])
		}
	}
	for _, name := range names {
		a, b := row(was, name), row(now, name)
		for i := 1; i < len(head); i++ {
			if x, y := orNone(at(a, i)), orNone(at(b, i)); x != y {
				all = append(all, fleet.BulletinChange{Table: caption, Row: name, Column: head[i], Was: x, Now: y})
			}
		}
	}
	return all
}
