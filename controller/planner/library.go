package planner

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"gatecast/controller/fleet"
	"gatecast/schedules"
)

// inLibrary reports whether c belongs into the manifest on a day: it is signed
// off, and its last day is not over. One whose first day is still to come
// does, so that devices have it then.
func inLibrary(c fleet.Clip, today fleet.Day) bool {
	s := c.Standing(today)
	return s == fleet.ClipApproved || s == fleet.ClipAhead
}

// office is the zone in which the validity of clips is meant.
func (p *Planner) office() *time.Location { return location(p.o.Ceilings.Zone) }

func (p *Planner) day(now time.Time) fleet.Day {
	return fleet.Day(now.In(p.office()).Format(time.DateOnly))
}

// bounds returns the instants from and before which c may sound; zero for no
// bound.
func (p *Planner) bounds(c fleet.Clip) (from, until time.Time) {
	if d, err := time.ParseInLocation(time.DateOnly, string(c.ValidFrom), p.office()); err == nil {
		from = d
	}
	if d, err := time.ParseInLocation(time.DateOnly, string(c.ValidUntil), p.office()); err == nil {
		until = d.AddDate(0, 0, 1)
	}
	return from, until
}

// nextTurn is how long Run waits at most: an hour, and not over midnight.
func (p *Planner) nextTurn(now time.Time) time.Duration {
	local := now.In(p.office())
	midnight := time.Date(local.Year(), local.Month(), local.Day()+1, 0, 0, 0, 0, p.office())
	return min(time.Hour, max(midnight.Sub(now), 0)+time.Second)
}

// maxRecalled bounds the recalled clips that a plan names, the newest of them:
// 200 take 13 KB. Older ones are in no manifest any more either.
const maxRecalled = 200

// recalled returns the hashes of recalled clips, the latest recall first.
func (w *world) recalled() []string {
	var all []fleet.Clip
	for _, c := range w.all {
		if c.State == fleet.ClipRecalled {
			all = append(all, c)
		}
	}
	slices.SortFunc(all, func(a, b fleet.Clip) int {
		if c := b.Since.Compare(a.Since); c != 0 {
			return c
		}
		return strings.Compare(a.SHA256, b.SHA256)
	})
	var shas []string
	for _, c := range all[:min(len(all), maxRecalled)] {
		shas = append(shas, c.SHA256)
	}
	return shas
}

// clipProblems says which clips of a programme cannot sound, and which will
// not any more within the horizon.
func (p *Planner) clipProblems(parsed *schedules.Programme, w *world, now time.Time) []Problem {
	var problems []Problem
	for _, ref := range parsed.ClipRefs() {
		c, ok := w.known[ref]
		if !ok {
			problems = append(problems, Problem{
				Key: "playlist", Blocking: true,
				Text:   fmt.Sprintf("素材库里没有“%s”，请先上传再启用", ref),
				TextEN: fmt.Sprintf("the clip library has no %q: upload it before activation", ref),
			})
			continue
		}
		if zh, en := unsigned(c, w.today); zh != "" {
			problems = append(problems, Problem{Key: "playlist", Blocking: true, Text: zh, TextEN: en})
			continue
		}
		if w.unsigned[c.SHA256] {
			problems = append(problems, Problem{
				Key: "playlist", Blocking: true,
				Text:   fmt.Sprintf("素材“%s”还没有用素材密钥签署（严格模式），请在“待签清单”导出、签署、导入后再启用", ref),
				TextEN: fmt.Sprintf("clip %q is not signed with the library key yet (strict mode): export, sign and import it on the page Signing before activation", ref),
			})
			continue
		}
		if c.Standing(w.today) == fleet.ClipAhead {
			problems = append(problems, Problem{
				Key:    "playlist",
				Text:   fmt.Sprintf("素材“%s”从 %s 起才有效，之前的时段不播它", ref, c.ValidFrom),
				TextEN: fmt.Sprintf("clip %q is valid from %s on; slots before that leave it out", ref, c.ValidFrom),
			})
		}
		if c.ValidUntil != "" && c.ValidUntil < p.day(now.AddDate(0, 0, p.o.HorizonDays)) {
			problems = append(problems, Problem{
				Key:    "playlist",
				Text:   fmt.Sprintf("素材“%s”有效期到 %s，之后的时段不再播它；没有别的素材可播的时段会记为未播", ref, c.ValidUntil),
				TextEN: fmt.Sprintf("clip %q is valid until %s; later slots leave it out, and a slot with no other clip counts as missed", ref, c.ValidUntil),
			})
		}
	}
	return problems
}

// unsigned says why c is not in the library, and who has to do what; empty
// when it is.
func unsigned(c fleet.Clip, today fleet.Day) (zh, en string) {
	switch c.Standing(today) {
	case fleet.ClipApproved, fleet.ClipAhead:
		return "", ""
	case fleet.ClipSubmitted:
		return fmt.Sprintf("素材“%s”还没有签发：%s 已送审，等签发人签发后再启用", c.Name, c.Submitter),
			fmt.Sprintf("clip %q is not signed off yet: %s submitted it, and an approver has to sign it before activation", c.Name, c.Submitter)
	case fleet.ClipReturned:
		return fmt.Sprintf("素材“%s”被退回（%s），请修改后重新送审，由签发人签发后再启用", c.Name, c.Reason),
			fmt.Sprintf("clip %q was returned (%s): change it, submit it again and have an approver sign it before activation", c.Name, c.Reason)
	case fleet.ClipRecalled:
		return fmt.Sprintf("素材“%s”已召回（%s），请在播放计划里换一个素材", c.Name, c.Reason),
			fmt.Sprintf("clip %q was recalled (%s): choose another clip in the programme", c.Name, c.Reason)
	case fleet.ClipExpired:
		return fmt.Sprintf("素材“%s”有效期到 %s 为止，已过期；请延长有效期并由签发人签发，或换一个素材", c.Name, c.ValidUntil),
			fmt.Sprintf("clip %q was valid until %s and has expired: have longer validity signed off by an approver, or choose another clip", c.Name, c.ValidUntil)
	}
	return fmt.Sprintf("素材“%s”还是草稿，请先送审，由签发人签发后再启用", c.Name),
		fmt.Sprintf("clip %q is a draft: submit it and have an approver sign it before activation", c.Name)
}
