package web

import (
	"strconv"
	"strings"

	"gatecast/controller/fleet"
)

// figures are the counts of a page: seven, and 未到 while a day runs.
type figures struct {
	fleet.Counts
	Parts     []figure // in the order of every page, zeros included
	Sum       string   // 138 = 81 + 1 + …, zeros left out
	InWords   string   // 138 = 已播 81 + 部分播 1 + …
	Agrees    bool
	OwedHref  string
	Confirmed string
	Demo      int // of Owed: into files, or of a demo programme; 0 where it is said elsewhere
	Counting  string
}

// figure is one count with its verdict.
type figure struct {
	V     string
	Grade string
	N     int
	Href  string // of the rows behind it; empty where there are none
}

// linked returns f with every count leading to its rows.
func (f figures) linked(href func(verdict string) string) figures {
	f.OwedHref = href("all")
	for i := range f.Parts {
		if f.Parts[i].N > 0 {
			f.Parts[i].Href = href(f.Parts[i].V)
		}
	}
	return f
}

func (l *lang) figures(c fleet.Counts) figures {
	f := figures{Counts: c, Parts: []figure{
		{V: "played", Grade: "A", N: c.Played}, {V: "partial", N: c.Partial}, {V: "missed", N: c.Missed}, {V: "doubt", N: c.Doubt},
		{V: "exempt", N: c.Exempt}, {V: "pending", N: c.Pending}, {V: "due", N: c.Due},
	}}
	var terms, words []string
	total := 0
	for _, p := range f.Parts {
		total += p.N
		if p.N != 0 {
			terms = append(terms, strconv.Itoa(p.N))
			words = append(words, l.T("verdict."+p.V)+" "+strconv.Itoa(p.N))
		}
	}
	f.Agrees = total == c.Owed
	f.Sum = strconv.Itoa(c.Owed)
	if len(terms) > 0 {
		f.InWords = f.Sum + " = " + strings.Join(words, " + ")
		f.Sum += " = " + strings.Join(terms, " + ")
	}
	f.Confirmed, f.Counting = l.Rate(c.Confirmed()), l.Rate(c.CountingPending())
	return f
}
