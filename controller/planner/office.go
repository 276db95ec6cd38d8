package planner

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"gatecast/controller/fleet"
	"gatecast/schedules"
)

// Almanac is the office's own calendar and the holiday tables it imported.
type Almanac interface {
	CalendarEntries(ctx context.Context) ([]fleet.CalendarEntry, error)
	AddCalendarEntry(ctx context.Context, e fleet.CalendarEntry) (fleet.CalendarEntry, error)
	EndCalendarEntry(ctx context.Context, id fleet.EntryID, by, reason string, now time.Time) error
	HolidayTables(ctx context.Context) ([]fleet.HolidayTable, error)
	PutHolidayTable(ctx context.Context, h fleet.HolidayTable) error
}

// officeProgramme is the id, before a number, of the programmes that the
// office's calendar becomes; no programme of the office's own may have it.
const officeProgramme = "office-calendar"

// rulesEach is how many rules one of these programmes holds at most.
const rulesEach = 150

// entryReach is how long after its last day an entry is still compiled: as far
// back as slots are looked at.
const entryReach = 400 * 24 * time.Hour

// officeRules are the entries that held at an instant, as programmes of nothing
// but dated rules. An entry that was taken back by then goes on to hold for the
// slots that had begun.
func officeRules(entries []fleet.CalendarEntry, zone string, at time.Time) ([]*schedules.Programme, error) {
	var all []*schedules.Programme
	for _, e := range entries {
		last, err := schedules.ParseDate(string(e.Last()))
		if err != nil {
			return nil, fmt.Errorf("calendar entry %d: %w", e.ID, err)
		}
		if e.At.After(at) || midnight(last, time.UTC).Add(entryReach).Before(at) {
			continue
		}
		for i, span := range e.Spans {
			rule, errs := spanRule(e, i, span)
			if len(errs) > 0 {
				return nil, fmt.Errorf("calendar entry %d: %w", e.ID, errs)
			}
			rule.Since = e.At
			if !e.Ended.After(at) {
				rule.Until = e.Ended
			}
			if len(all) == 0 || len(all[len(all)-1].Quiet.Dated) == rulesEach {
				all = append(all, &schedules.Programme{ID: officeProgramme + "-" + strconv.Itoa(len(all)+1), Name: "办公室日历", Zone: zone})
			}
			last := all[len(all)-1]
			last.Quiet.Dated = append(last.Quiet.Dated, rule)
		}
	}
	return all, nil
}

// spanRule is span i of e as a quiet rule. What cannot be read is reported with
// the key "spans[i].field".
func spanRule(e fleet.CalendarEntry, i int, span fleet.CalendarSpan) (schedules.QuietRule, schedules.Errors) {
	var errs schedules.Errors
	at := fmt.Sprintf("spans[%d]", i)
	date := func(field string, d fleet.Day) schedules.Date {
		v, err := schedules.ParseDate(string(d))
		if err != nil {
			errs = append(errs, &schedules.Error{Key: at + "." + field, Rule: schedules.RuleDate, Args: []any{string(d)}})
		}
		return v
	}
	r := schedules.QuietRule{
		ID: fmt.Sprintf("entry-%d-%d", e.ID, i+1), Name: e.Title, Document: e.Document,
		From: date("from", span.From), To: date("to", span.To), AllDay: span.AllDay, GainDB: span.GainDB,
	}
	for _, text := range span.Times {
		v, err := schedules.ParseTimeRange(text)
		if err != nil {
			errs = append(errs, &schedules.Error{Key: at + ".times", Rule: schedules.RuleTimes, Args: []any{text}})
		}
		r.Times = append(r.Times, v)
	}
	if !span.All {
		r.Targets = &schedules.Targets{Selection: schedules.Selection{Units: span.Units, Tags: span.Tags, Points: span.Points}}
	}
	return r, errs
}

// ruleKey is the place of a span in the error of a checked programme.
var ruleKey = regexp.MustCompile(`^quiet\.dated\[entry-\d+-(\d+)\]`)

// CheckEntry says what is wrong with an entry: what breaks a rule or selects no
// point. Keys name the place as "spans[1].from".
func (p *Planner) CheckEntry(ctx context.Context, e fleet.CalendarEntry, now time.Time) ([]Problem, error) {
	w, err := p.load(ctx, now)
	if err != nil {
		return nil, err
	}
	return p.checkEntry(w, e), nil
}

func (p *Planner) checkEntry(w *world, e fleet.CalendarEntry) []Problem {
	if err := e.Check(); err != nil {
		return []Problem{{Text: err.Text, TextEN: err.TextEN, Blocking: true}}
	}
	prog := &schedules.Programme{ID: officeProgramme, Name: "办公室日历", Zone: p.o.Ceilings.Zone, Targets: schedules.Targets{All: true}}
	var errs schedules.Errors
	for i, span := range e.Spans {
		rule, bad := spanRule(e, i, span)
		errs = append(errs, bad...)
		prog.Quiet.Dated = append(prog.Quiet.Dated, rule)
	}
	if len(errs) == 0 {
		if err := prog.Check(); err != nil {
			var list schedules.Errors
			errors.As(err, &list)
			errs = append(errs, list...)
		}
	}
	if len(errs) == 0 {
		errs = prog.CheckTargets(w.listed())
	}
	for _, one := range errs {
		if m := ruleKey.FindStringSubmatch(one.Key); m != nil {
			n, _ := strconv.Atoi(m[1])
			one.Key = fmt.Sprintf("spans[%d]", n-1) + strings.TrimPrefix(one.Key, m[0])
		}
	}
	return fromErrors(errs, true)
}

// listed are the points as targets see them, in the registry's order.
func (w *world) listed() []schedules.Point {
	points := make([]schedules.Point, 0, len(w.points))
	for _, pt := range w.points {
		points = append(points, w.views[pt.ID])
	}
	return points
}

// Effect is what an entry of the calendar changes.
type Effect struct {
	From, To schedules.Date // the days that were looked at, both included
	Changes  []schedules.SlotChange
	Points   int       // that the entry touches
	Plans    time.Time // until when every point's device has its slots already; zero for no device
	Away     []fleet.PointID
}

// maxEffect is how many days of an entry are compared.
const maxEffect = 400

// EntryEffect computes what saving e would change on all its days from today
// on, in the programmes in force, and changes nothing. It is nil where the
// problems forbid to save it.
func (p *Planner) EntryEffect(ctx context.Context, e fleet.CalendarEntry, now time.Time) (*Effect, []Problem, error) {
	w, err := p.load(ctx, now)
	if err != nil {
		return nil, nil, err
	}
	if problems := p.checkEntry(w, e); len(problems) > 0 {
		return nil, problems, nil
	}
	active, err := p.activeParsed(ctx)
	if err != nil {
		return nil, nil, err
	}
	before, err := p.compiler(w, active, now)
	if err != nil {
		return nil, nil, err
	}
	e.At, e.Ended = now, time.Time{}
	with := *w
	with.entries = append([]fleet.CalendarEntry{e}, w.entries...)
	after, err := p.compiler(&with, active, now)
	if err != nil {
		return nil, nil, err
	}
	from, err := schedules.ParseDate(string(max(e.First(), w.today)))
	if err != nil {
		return nil, nil, fmt.Errorf("first day of the entry: %w", err)
	}
	to, err := schedules.ParseDate(string(e.Last()))
	if err != nil {
		return nil, nil, fmt.Errorf("last day of the entry: %w", err)
	}
	to = to.AddDays(1) // a night that begins on the last day
	eff := &Effect{From: from, To: to}
	days := 0
	for d := from; !d.After(to) && days < maxEffect; d = d.AddDays(1) {
		days++
	}
	eff.Changes = schedules.Changes(before, after, w.listed(), from, days)
	w.reach(eff)
	return eff, nil, nil
}

// SaveEntry keeps an entry that CheckEntry finds nothing wrong with and has it
// planned soon: gates get it with their next plan.
func (p *Planner) SaveEntry(ctx context.Context, e fleet.CalendarEntry, now time.Time) (fleet.CalendarEntry, []Problem, error) {
	problems, err := p.CheckEntry(ctx, e, now)
	if err != nil || len(problems) > 0 {
		return fleet.CalendarEntry{}, problems, err
	}
	if p.o.Almanac == nil {
		return fleet.CalendarEntry{}, nil, errors.New("saving a calendar entry: the planner has no almanac")
	}
	e.At = now
	saved, err := p.o.Almanac.AddCalendarEntry(ctx, e)
	if err != nil {
		return fleet.CalendarEntry{}, nil, fmt.Errorf("storing calendar entry: %w", err)
	}
	p.Poke()
	return saved, nil, nil
}

// EndEntry takes an entry back: slots that begin from now on are owed again.
func (p *Planner) EndEntry(ctx context.Context, id fleet.EntryID, by, reason string, now time.Time) error {
	if p.o.Almanac == nil {
		return errors.New("ending a calendar entry: the planner has no almanac")
	}
	if strings.TrimSpace(reason) == "" {
		return &fleet.Error{Code: fleet.Invalid, Text: "请填写撤销的原因。", TextEN: "Say why it is taken back."}
	}
	if err := p.o.Almanac.EndCalendarEntry(ctx, id, by, strings.TrimSpace(reason), now); err != nil {
		return err
	}
	p.Poke()
	return nil
}

// QuietAt returns, for each of the points, every quiet rule that holds at some
// moment of [from, to): night, midday rest, then exams, days of mourning and
// other dated rules, of the office's calendar and of programmes in force. Points
// where nothing is quiet are left out.
func (p *Planner) QuietAt(ctx context.Context, points []fleet.PointID, from, to, now time.Time) (map[fleet.PointID][]*schedules.Silence, error) {
	w, err := p.load(ctx, now)
	if err != nil {
		return nil, err
	}
	active, err := p.activeParsed(ctx)
	if err != nil {
		return nil, err
	}
	compiler, err := p.compiler(w, active, now)
	if err != nil {
		return nil, err
	}
	found := map[fleet.PointID][]*schedules.Silence{}
	for _, id := range points {
		view, ok := w.views[id]
		if !ok {
			continue
		}
		if rules := compiler.QuietAt(view, from, to, w.office); len(rules) > 0 {
			found[id] = rules
		}
	}
	return found, nil
}

// PointSlots returns what a point is owed on these days by the programmes in
// force, silenced slots included, ordered by start. It reads nothing of other
// points.
func (p *Planner) PointSlots(ctx context.Context, pt fleet.Point, from schedules.Date, days int, now time.Time) ([]schedules.Slot, error) {
	units, err := p.o.Registry.Units(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading units: %w", err)
	}
	groups, err := p.o.Registry.Groups(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading groups: %w", err)
	}
	compounds, err := p.o.Registry.Compounds(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading compounds: %w", err)
	}
	w := &world{}
	if w.entries, err = p.Entries(ctx); err != nil {
		return nil, fmt.Errorf("reading the office's calendar: %w", err)
	}
	if w.cal, err = p.Calendar(ctx); err != nil {
		return nil, err
	}
	active, err := p.activeParsed(ctx)
	if err != nil {
		return nil, err
	}
	compiler, err := p.compiler(w, active, now)
	if err != nil {
		return nil, err
	}
	return compiler.Slots(View(units, compounds, groups, []fleet.Point{pt})[pt.ID], from, days), nil
}

// Calendar returns the holiday tables: those that are built in or configured,
// and over them those that the office imported. The result is the caller's.
func (p *Planner) Calendar(ctx context.Context) (*schedules.Calendar, error) {
	cal := p.o.Calendar.Clone()
	if p.o.Almanac == nil {
		return cal, nil
	}
	tables, err := p.o.Almanac.HolidayTables(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading holiday tables: %w", err)
	}
	for _, t := range tables {
		if err := cal.Import(t.JSON); err != nil {
			return nil, fmt.Errorf("imported holiday table of %d: %w", t.Year, err)
		}
	}
	return cal, nil
}

// Entries returns every entry of the office's calendar, the newest first.
func (p *Planner) Entries(ctx context.Context) ([]fleet.CalendarEntry, error) {
	if p.o.Almanac == nil {
		return nil, nil
	}
	return p.o.Almanac.CalendarEntries(ctx)
}

// activeParsed are the programmes in force.
func (p *Planner) activeParsed(ctx context.Context) ([]*schedules.Programme, error) {
	active, err := p.o.Content.ActiveProgrammes(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading active programmes: %w", err)
	}
	parsed, _, err := parse(active)
	return parsed, err
}

// compiler compiles programmes with the office's calendar as it stood at an
// instant.
func (p *Planner) compiler(w *world, programmes []*schedules.Programme, at time.Time) (*schedules.Compiler, error) {
	rules, err := officeRules(w.entries, p.o.Ceilings.Zone, at)
	if err != nil {
		return nil, err
	}
	compiler, err := schedules.NewCompiler(append(programmes[:len(programmes):len(programmes)], rules...), w.cal)
	if err != nil {
		return nil, fmt.Errorf("compiling programmes: %w", err)
	}
	return compiler, nil
}
