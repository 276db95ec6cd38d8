package schedules

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strconv"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// maxFile bounds a programme; the largest real one, with every point of a city
// listed by code, is under 300 KB.
const maxFile = 1 << 20

// Parse reads a programme from YAML. file is only used to say where an error
// is. The error is of type Errors and holds everything that is wrong, with
// line, key and rule; the programme is then nil. data is not retained.
func Parse(file string, data []byte) (*Programme, error) {
	d := &decoder{file: file, lines: make(map[string]int), bad: make(map[string]bool)}
	root := d.document(data)
	if root == nil {
		return nil, d.errs.err()
	}
	p := d.programme(root)
	c := &checker{p: p, bad: d.bad}
	c.programme()
	if errs := append(d.errs, c.errs...); len(errs) > 0 {
		slices.SortStableFunc(errs, byLine)
		return nil, errs
	}
	return p, nil
}

// Check reports everything that is wrong with a programme that was not read
// from a file, or nil. The error is of type Errors.
func (p *Programme) Check() error {
	c := &checker{p: p}
	c.programme()
	return c.errs.err()
}

// document returns the one mapping that data must hold, nil after an error.
func (d *decoder) document(data []byte) *yaml.Node {
	here := &yaml.Node{Line: 1}
	switch {
	case len(data) > maxFile:
		d.fail(here, "", RuleSize, strconv.Itoa(maxFile>>20)+" MiB")
		return nil
	case !utf8.Valid(data):
		d.fail(here, "", RuleEncoding)
		return nil
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc, second yaml.Node
	switch err := dec.Decode(&doc); {
	case errors.Is(err, io.EOF):
		d.fail(here, "", RuleEmpty)
		return nil
	case err != nil:
		d.syntax(data, err)
		return nil
	}
	switch err := dec.Decode(&second); {
	case err == nil:
		d.fail(&second, "", RuleOneFile)
		return nil
	case !errors.Is(err, io.EOF):
		d.syntax(data, err)
		return nil
	}
	if alias := findAlias(&doc); alias != nil {
		d.fail(alias, "", RuleAlias)
		return nil
	}
	root := doc.Content[0]
	if root.Kind == yaml.ScalarNode && root.Tag == "!!null" {
		d.fail(here, "", RuleEmpty)
		return nil
	}
	return root
}

// findAlias returns the first anchor or alias below n. Neither is needed in a
// programme, and aliases can blow a small file up to any size.
func findAlias(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode || n.Anchor != "" || n.Tag == "!!merge" {
		return n
	}
	for _, c := range n.Content {
		if a := findAlias(c); a != nil {
			return a
		}
	}
	return nil
}

func (d *decoder) programme(n *yaml.Node) *Programme {
	m := d.mapping(n, "", "id", "name", "zone", "from", "to", "demo", "daily_budget",
		"targets", "quiet", "slots", "example_points")
	p := &Programme{
		file:        d.file,
		lines:       d.lines,
		ID:          d.text(m["id"], "id"),
		Name:        d.text(m["name"], "name"),
		Zone:        d.text(m["zone"], "zone"),
		From:        d.date(m["from"], "from"),
		To:          d.date(m["to"], "to"),
		Demo:        d.boolean(m["demo"], "demo"),
		DailyBudget: d.duration(m["daily_budget"], "daily_budget", minEvery, MaxBudget),
		Quiet:       d.quiet(m["quiet"]),
	}
	if t := d.targets(m["targets"], "targets"); t != nil {
		p.Targets = *t
	}
	labels := labeller("slots")
	for _, item := range d.items(m["slots"], "slots") {
		p.Slots = append(p.Slots, d.slot(item, labels(idOf(item, "key"))))
	}
	labels = labeller("example_points")
	for _, item := range d.items(m["example_points"], "example_points") {
		p.Examples = append(p.Examples, d.point(item, labels(idOf(item, "id"))))
	}
	return p
}

// idOf returns the value of the given key of a mapping, for use in key paths.
func idOf(n *yaml.Node, key string) string {
	if n.Kind == yaml.MappingNode {
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == key && n.Content[i+1].Kind == yaml.ScalarNode {
				return n.Content[i+1].Value
			}
		}
	}
	return ""
}

// labeller returns a function that gives each entry of a list, in order, its
// place in a key path: "slots[noon]", or "slots[#2]" for an entry whose id is
// unusable or taken.
func labeller(of string) func(id string) string {
	n, seen := 0, make(map[string]bool)
	return func(id string) string {
		n++
		if !identifier.MatchString(id) || seen[id] {
			id = "#" + strconv.Itoa(n)
		}
		seen[id] = true
		return of + "[" + id + "]"
	}
}

// patternKeys are the keys of a Pattern.
func patternKeys(more ...string) []string {
	return append(more, "start", "until", "duration", "every", "max_plays", "playlist", "gain_db", "grace", "reason")
}

func (d *decoder) slot(n *yaml.Node, at string) SlotRule {
	m := d.mapping(n, at, patternKeys("key", "name", "days", "targets", "overrides")...)
	s := SlotRule{
		Key:     d.text(m["key"], at+".key"),
		Name:    d.text(m["name"], at+".name"),
		Days:    d.days(m["days"], at+".days"),
		Targets: d.targets(m["targets"], at+".targets"),
		Pattern: d.pattern(m, at),
	}
	labels := labeller(at + ".overrides")
	for _, item := range d.items(m["overrides"], at+".overrides") {
		label := labels("")
		o := d.mapping(item, label, patternKeys("days")...)
		s.Overrides = append(s.Overrides, Override{
			Days:    d.days(o["days"], label+".days"),
			Pattern: d.pattern(o, label),
		})
	}
	return s
}

func (d *decoder) pattern(m map[string]*yaml.Node, at string) Pattern {
	p := Pattern{
		Start:    d.text(m["start"], at+".start"),
		Until:    d.timeOfDay(m["until"], at+".until"),
		Duration: d.duration(m["duration"], at+".duration", minDemoEvery, maxWindow),
		Every:    d.duration(m["every"], at+".every", minDemoEvery, maxWindow),
		MaxPlays: d.count(m["max_plays"], at+".max_plays", maxPlays),
		Playlist: d.texts(m["playlist"], at+".playlist"),
		GainDB:   d.gain(m["gain_db"], at+".gain_db"),
		Reason:   d.text(m["reason"], at+".reason"),
	}
	if n := m["grace"]; n != nil {
		grace := d.duration(n, at+".grace", 0, maxGrace)
		p.Grace = &grace
	}
	return p
}

func (d *decoder) targets(n *yaml.Node, at string) *Targets {
	if n == nil {
		return nil
	}
	m := d.mapping(n, at, "all", "units", "groups", "tags", "kinds", "points", "except")
	t := &Targets{All: d.boolean(m["all"], at+".all"), Selection: d.selection(m, at)}
	if except := m["except"]; except != nil {
		key := at + ".except"
		t.Except = d.selection(d.mapping(except, key, "units", "groups", "tags", "kinds", "points"), key)
	}
	return t
}

func (d *decoder) selection(m map[string]*yaml.Node, at string) Selection {
	return Selection{
		Units:  d.texts(m["units"], at+".units"),
		Groups: d.texts(m["groups"], at+".groups"),
		Tags:   d.texts(m["tags"], at+".tags"),
		Kinds:  d.texts(m["kinds"], at+".kinds"),
		Points: d.texts(m["points"], at+".points"),
	}
}

func (d *decoder) quiet(n *yaml.Node) Quiet {
	var q Quiet
	m := d.mapping(n, "quiet", "midday", "dated")
	if mid := d.mapping(m["midday"], "quiet.midday", "until", "off_for", "reason"); mid != nil {
		q.Midday = Midday{
			Until:  d.timeOfDay(mid["until"], "quiet.midday.until"),
			OffFor: d.texts(mid["off_for"], "quiet.midday.off_for"),
			Reason: d.text(mid["reason"], "quiet.midday.reason"),
		}
	}
	labels := labeller("quiet.dated")
	for _, item := range d.items(m["dated"], "quiet.dated") {
		at := labels(idOf(item, "id"))
		r := d.mapping(item, at, "id", "name", "from", "to", "all_day", "times", "gain_db", "document", "targets")
		q.Dated = append(q.Dated, QuietRule{
			ID:       d.text(r["id"], at+".id"),
			Name:     d.text(r["name"], at+".name"),
			From:     d.date(r["from"], at+".from"),
			To:       d.date(r["to"], at+".to"),
			AllDay:   d.boolean(r["all_day"], at+".all_day"),
			Times:    d.times(r["times"], at+".times"),
			Document: d.text(r["document"], at+".document"),
			Targets:  d.targets(r["targets"], at+".targets"),
		})
		if gain := d.gain(r["gain_db"], at+".gain_db"); gain != nil {
			q.Dated[len(q.Dated)-1].GainDB = *gain
		}
	}
	return q
}

func (d *decoder) point(n *yaml.Node, at string) Point {
	m := d.mapping(n, at, "id", "name", "kind", "units", "groups", "tags")
	return Point{
		ID:     d.text(m["id"], at+".id"),
		Name:   d.text(m["name"], at+".name"),
		Kind:   d.text(m["kind"], at+".kind"),
		Units:  d.texts(m["units"], at+".units"),
		Groups: d.texts(m["groups"], at+".groups"),
		Tags:   d.texts(m["tags"], at+".tags"),
	}
}
