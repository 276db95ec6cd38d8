package web

import (
	"sort"
	"strings"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

// need is something somebody has to do: what, since when, why, whom to call.
type need struct {
	Tone, Icon string
	Point      string // name; empty for what concerns several points
	Href       string
	Title      string
	Age        string
	Text       string
	Who        string
	Copy       string // the same as a message to paste

	id    fleet.PointID
	rank  int // lower is more urgent
	since time.Time
}

// Ranks by tone; within one the oldest comes first.
var toneRank = map[string]int{"bad": 0, "doubt": 1, "warn": 2, "info": 3}

// conditionIcons are the icons of condition codes; others get i-alert.
var conditionIcons = map[string]string{
	"clock_untrusted": "i-clock", "clock_disputed": "i-clock", "no_plan": "i-plan", "plan_ending": "i-plan", "plan_over": "i-plan", "plan_stale": "i-clock", "plan_refused": "i-shield",
	"clip_missing": "i-export", "clip_corrupt": "i-export", "output_fault": "i-alert", "output_muted": "i-mute",
	"link_down": "i-offline", "cert_expiring": "i-lock", "device_revoked": "i-lock",
}

// settleIn is how long a device that just got a new plan may take before the
// pages call it behind.
const settleIn = 2 * time.Minute

// needsOf returns what one point needs, most urgent first. today are the
// point's obligations of the day.
func (l *lang) needsOf(p *places, pt fleet.Point, today []fleet.Obligation, now time.Time) []need {
	d, has := p.device[pt.ID]
	if !has {
		return nil // all of them together are one need; see needs
	}
	var list []need
	add := func(tone, icon, title, text string, since time.Time) {
		n := need{Tone: tone, Icon: icon, Point: pt.Name, Href: pointPath(pt.ID), Title: title, Text: text,
			Who: p.contact(l, pt), id: pt.ID, rank: toneRank[tone], since: since}
		if !since.IsZero() && since.Before(now) {
			n.Age = l.Span(now.Sub(since))
		}
		n.Copy = l.T("need.copy", pt.Name, title, text)
		list = append(list, n)
	}
	up := l.online(d, now)
	if l.touch(d, now) == outOfTouch {
		text := l.T("need.offline.no_plan")
		if d.Horizon.After(now) {
			text = l.T("need.offline.plan", l.Date(d.Horizon))
		}
		add("bad", "i-offline", l.T("need.offline"), text, d.LastSeen)
	}
	for _, c := range d.Conditions {
		if c.Code == "link_down" {
			continue // we see that ourselves, and better
		}
		tone := c.Severity
		if _, ok := toneRank[tone]; !ok || tone == "info" {
			continue
		}
		icon := conditionIcons[c.Code]
		if icon == "" {
			icon = "i-alert"
		}
		title, text := l.condition(c)
		add(tone, icon, title, text, wire.FromUS(c.SinceUS))
	}
	if up && d.WantVersion != 0 && !d.Ready() && now.Sub(d.Enrolled) > settleIn {
		text := l.T("need.behind.version", d.PlanVersion, d.WantVersion)
		if d.PlanVersion == d.WantVersion {
			text = l.T("need.behind.clips", len(d.ClipsMiss))
		}
		add("warn", "i-plan", l.T("need.behind"), text, time.Time{})
	}
	l.slotNeeds(today, add)
	sort.SliceStable(list, func(i, j int) bool { return list[i].rank < list[j].rank })
	return list
}

// slotNeeds adds what today's verdicts say: one need for all missed slots and
// one for all doubtful ones.
func (l *lang) slotNeeds(today []fleet.Obligation, add func(tone, icon, title, text string, since time.Time)) {
	names := map[fleet.Verdict][]string{}
	first := map[fleet.Verdict]fleet.Obligation{}
	for _, o := range today {
		if o.Verdict == fleet.Missed || o.Verdict == fleet.Doubt {
			if _, ok := first[o.Verdict]; !ok {
				first[o.Verdict] = o
			}
			names[o.Verdict] = append(names[o.Verdict], o.Name)
		}
	}
	if n := names[fleet.Missed]; len(n) > 0 {
		o := first[fleet.Missed]
		add("bad", "i-cross", l.T("need.missed", len(n)), l.T("need.missed.text", strings.Join(n, l.T("list")), l.reason(o.Reason)), o.Start)
	}
	if n := names[fleet.Doubt]; len(n) > 0 {
		o := first[fleet.Doubt]
		add("doubt", "i-mute", l.T("need.doubt", len(n)), l.T("need.doubt.text", strings.Join(n, l.T("list")), l.reason(o.Reason)), o.Start)
	}
}

// condition is the title and the sentence for a condition a device reported.
// A code from a newer device shows as a general fault with its detail.
func (l *lang) condition(c wire.Condition) (title, text string) {
	code := c.Code
	if !l.Has("cond." + code) {
		code = "unknown"
	}
	title = l.T("cond." + code)
	text = l.T("cond." + code + ".text")
	if c.Detail != "" {
		text += l.T("cond.detail", c.Detail)
	}
	return title, text
}

// trouble is the need of an office whose own disk takes nothing.
func (l *lang) trouble(err error) need {
	text := l.T("need.trouble.text")
	if fleet.CodeOf(err) == fleet.Full {
		text = l.T("need.trouble.full")
	}
	return need{Tone: "bad", Icon: "i-alert", Href: "/", Title: l.T("need.trouble"), Text: text, rank: -1}
}

// needs is what the whole fleet needs, one entry a point, and one for all the
// points that have no device yet.
func (l *lang) needs(p *places, today map[fleet.PointID][]fleet.Obligation, now time.Time) []need {
	var list []need
	bare := 0
	for _, pt := range p.points {
		if _, ok := p.device[pt.ID]; !ok {
			bare++
			continue
		}
		mine := l.needsOf(p, pt, today[pt.ID], now)
		if len(mine) == 0 {
			continue
		}
		n := mine[0]
		for _, more := range mine[1:] {
			n.Text += l.T("need.also", more.Title)
		}
		list = append(list, n)
	}
	sort.SliceStable(list, func(i, j int) bool {
		if list[i].rank != list[j].rank {
			return list[i].rank < list[j].rank
		}
		return list[i].since.Before(list[j].since)
	})
	if bare > 0 {
		list = append(list, need{
			Tone: "info", Icon: "i-plus", Href: "/points?state=bare", Title: l.T("need.bare", bare), Text: l.T("need.bare.text"),
			rank: toneRank["info"],
		})
	}
	return list
}
