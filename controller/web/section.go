package web

import (
	"cmp"
	"strings"
)

// tab is one page of a section of the navigation.
type tab struct {
	Href   string
	Key    string // of its text
	Action string // who may see it
}

// sections are the pages below each entry of the navigation that has more than
// one, in the order in which they are shown.
var sections = map[string][]tab{
	"points":     {{"/points", "nav.points", "read"}, {"/complaints", "complaints.title", "read"}, {"/enrol", "enrol.title", "enrol"}},
	"clips":      {{"/clips", "nav.clips", "read"}, {"/reels", "reels.title", "read"}, {"/clips/speak", "speak.title", "upload"}, {"/clips/record", "record.title", "upload"}},
	"programmes": {{"/programmes", "nav.programmes", "read"}, {"/dispatch", "dispatch.title", "read"}, {"/calendar", "calendar.title", "read"}, {"/holidays", "holidays.title", "read"}},
	"compliance": {{"/compliance", "nav.compliance", "read"}, {"/alerts", "alerts.title", "read"}, {"/deductions", "deductions.title", "read"}},
	"weekly":     {{"/bulletins", "bulletins.title", "read"}, {"/figures", "figures.title", "read"}, {"/feedback", "feedback.title", "read"}, {"/reports", "reports.title", "direct"}, {"/papers", "papers.title", "read"}},
	"relay":      {{"/relay", "relay.title", "read"}, {"/relay/overdue", "relay.overdue", "read"}, {"/relay/rules", "relay.rules", "register"}},
	"register":   {{"/units", "units.title", "read"}, {"/compounds", "compounds.title", "read"}, {"/properties", "properties.title", "read"}, {"/units/missing", "missing.title", "read"}, {"/groups", "groups.title", "read"}, {"/rosters", "rosters.title", "register"}},
}

// Tabs lists the pages of the section that the user may see; nil for a section
// of one page.
func (f frame) Tabs() []tab {
	var open []tab
	for _, t := range sections[f.Nav] {
		if f.Can(t.Action) {
			open = append(open, t)
		}
	}
	if len(open) < 2 {
		return nil
	}
	return open
}

// Current reports whether t is the tab of this page: the longest path that
// this page's own begins with.
func (f frame) Current(t tab) bool {
	here, _, _ := strings.Cut(f.Here, "?")
	best := ""
	for _, o := range f.Tabs() {
		if here == o.Href || strings.HasPrefix(here, o.Href+"/") {
			best = longest(best, o.Href)
		}
	}
	return cmp.Or(best, sections[f.Nav][0].Href) == t.Href
}

func longest(a, b string) string {
	if len(b) > len(a) {
		return b
	}
	return a
}
