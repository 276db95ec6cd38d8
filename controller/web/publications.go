package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"gatecast/controller/fleet"
)

// publicationsView is 签发记录: the periods that were signed and sealed.
type publicationsView struct {
	Rows []publicationRow
}

type publicationRow struct {
	Title, Href string
	Period      string
	At, By      string
	Sum         string
	Amendments  int
	Open        int // slots that changed and are in no amendment yet
}

func publicationPath(id fleet.PublicationID) string { return fmt.Sprintf("/publications/%d", id) }

func (s *Server) publications(ctx context.Context, v *visit, r *http.Request) (frame, error) {
	f, err := s.frame(ctx, v, r, "publications.title", "compliance")
	if err != nil {
		return f, err
	}
	all, err := s.o.Publications.Publications(ctx)
	if err != nil {
		return f, fmt.Errorf("reading publications: %w", err)
	}
	view := &publicationsView{}
	for _, p := range all {
		full, err := s.o.Publications.Published(ctx, p.ID)
		if err != nil {
			return f, fmt.Errorf("reading publication %d: %w", p.ID, err)
		}
		row := publicationRow{
			Title: v.L.T("publication.number", p.Year, p.Number), Href: publicationPath(p.ID), Period: v.L.T("publication.period", string(p.From), string(p.To)),
			At: v.L.Stamp(p.At, v.Now), By: signer(p.Name, p.By), Amendments: len(full.Amendments), Sum: v.L.figures(total(full.Sums)).Sum,
		}
		for _, c := range full.Changes {
			if c.Amendment == 0 {
				row.Open++
			}
		}
		view.Rows = append(view.Rows, row)
	}
	f.V = view
	return f, nil
}

func signer(name, login string) string {
	if name != "" {
		return name
	}
	return login
}

func total(sums []fleet.PublishedSum) (c fleet.Counts) {
	for _, u := range sums {
		c = c.Plus(u.Counts)
	}
	return c
}

// publishView asks whether a period is to be signed.
type publishView struct {
	From, To string
	Total    figures
	ByUnit   []countRow
	Year     int
	Next     int
	Problem  string // why it cannot be signed
	Back     string
}

// publish shows what would be sealed.
func (s *Server) publish(ctx context.Context, v *visit, r *http.Request) (frame, error) {
	f, err := s.frame(ctx, v, r, "publish.title", "compliance")
	if err != nil {
		return f, err
	}
	q := s.readCompliance(url.Values{"from": {r.URL.Query().Get("from")}, "to": {r.URL.Query().Get("to")}}, v.Now)
	view := &publishView{From: string(q.From), To: string(q.To), Back: q.link()}
	p, err := s.places(ctx, fleet.PointFilter{})
	if err != nil {
		return f, err
	}
	rows, err := s.o.Ledger.Summary(ctx, fleet.SummaryQuery{From: q.From, To: q.To, By: []fleet.Grouping{fleet.ByUnit}})
	if err != nil {
		return f, fmt.Errorf("reading summary: %w", err)
	}
	var sum fleet.Counts
	for _, row := range rows {
		sum = sum.Plus(row.Counts)
		view.ByUnit = append(view.ByUnit, countRow{Name: p.unit[row.Unit].Name, figures: v.L.figures(row.Counts)})
	}
	view.Total = v.L.figures(sum)
	all, err := s.o.Publications.Publications(ctx)
	if err != nil {
		return f, fmt.Errorf("reading publications: %w", err)
	}
	view.Year, view.Next = v.L.in(v.Now).Year(), 1
	for _, pub := range all {
		if pub.Year == view.Year {
			view.Next = max(view.Next, pub.Number+1)
		}
		if pub.From == q.From && pub.To == q.To {
			view.Problem = v.L.T("publish.done", pub.Year, pub.Number)
		}
	}
	switch {
	case view.Problem != "":
	case q.To >= s.dayOf(v.Now):
		view.Problem = v.L.T("publish.running")
	case sum.Owed == 0:
		view.Problem = v.L.T("publish.nothing")
	case sum.Due > 0:
		view.Problem = v.L.T("publish.due", sum.Due)
	}
	f.V = view
	return f, nil
}

// sealPeriod signs a period.
func (s *Server) sealPeriod(w http.ResponseWriter, r *http.Request, v *visit) error {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	from, to := r.FormValue("from"), r.FormValue("to")
	back := "/publications/new?" + url.Values{"from": {from}, "to": {to}}.Encode()
	if r.FormValue("checked") != "yes" || !validDay(from) || !validDay(to) || fleet.Day(to) >= s.dayOf(v.Now) {
		return redirect(w, r, back)
	}
	number, _ := strconv.Atoi(strings.TrimSpace(r.FormValue("number"))) // what is no number is the next one
	p, err := s.o.Publications.Publish(r.Context(), fleet.Publication{
		Year: v.L.in(v.Now).Year(), Number: max(number, 0), From: fleet.Day(from), To: fleet.Day(to), At: v.Now, By: v.User.Login, Name: v.User.Name,
	})
	if err != nil {
		return fmt.Errorf("publishing %s to %s: %w", from, to, err)
	}
	s.audit(r, v, fleet.AuditPublish, fmt.Sprintf("%d-%d", p.Year, p.Number), from+"–"+to)
	return redirect(w, r, publicationPath(p.ID)+"?done=published")
}

// publicationView is one publication as it was signed, with what was amended.
type publicationView struct {
	ID         fleet.PublicationID
	Number     string
	From, To   string
	At, By     string
	Total      figures
	ByUnit     []countRow
	ByDay      []countRow
	Amendments []amendmentView
	Open       *amendmentView // what changed since and is in no amendment; nil if nothing did
	Next       string         // what the next amendment is called
	May        bool
	Live       string // the same period in the ledger of now
}

// amendmentView is one amendment, signed or to be signed.
type amendmentView struct {
	Number string
	At, By string
	Rows   []amendedSlot
	Sums   []amendedSum
}

type amendedSlot struct {
	Point, Href, Unit string
	Slot              string
	WasV, NowV        string
	Was, Now          string
	WasWhy, NowWhy    string
	Cause             string
	Late              bool
	At                string
}

type amendedSum struct{ Name, Was, Now string }

func (s *Server) publication(ctx context.Context, v *visit, r *http.Request) (frame, error) {
	f, err := s.frame(ctx, v, r, "", "compliance")
	if err != nil {
		return f, err
	}
	p, err := s.publicationOf(ctx, r)
	if err != nil {
		return f, err
	}
	pl, err := s.places(ctx, fleet.PointFilter{})
	if err != nil {
		return f, err
	}
	l := v.L
	view := &publicationView{
		ID: p.ID, Number: l.T("publication.number", p.Year, p.Number), From: string(p.From), To: string(p.To),
		At: l.in(p.At).Format("2006-01-02 15:04"), By: signer(p.Name, p.By), May: fleet.May(v.User.Role, fleet.ActPublish),
		Total: l.figures(total(p.Sums)), Live: complianceFilter{From: p.From, To: p.To}.link(),
	}
	units, names, order := map[fleet.UnitID]fleet.Counts{}, map[fleet.UnitID]string{}, []fleet.UnitID{}
	days, dayOrder := map[fleet.Day]fleet.Counts{}, []fleet.Day{}
	for _, u := range p.Sums {
		if _, ok := units[u.Unit]; !ok {
			order, names[u.Unit] = append(order, u.Unit), u.Name
		}
		if _, ok := days[u.Day]; !ok {
			dayOrder = append(dayOrder, u.Day)
		}
		units[u.Unit], days[u.Day] = units[u.Unit].Plus(u.Counts), days[u.Day].Plus(u.Counts)
	}
	for _, id := range order {
		view.ByUnit = append(view.ByUnit, countRow{Name: names[id], figures: l.figures(units[id])})
	}
	for _, d := range dayOrder {
		t := l.Day(d)
		view.ByDay = append(view.ByDay, countRow{Name: l.T("day.name", l.Date(t), l.Weekday(t)), figures: l.figures(days[d])})
	}
	b := amendments{l: l, v: v, places: pl, units: units, names: names, order: order}
	for _, a := range p.Amendments {
		av := b.view(p.Changes, a.ID)
		av.Number, av.At, av.By = l.T("amendment.number", a.Year, a.Number), l.in(a.At).Format("2006-01-02 15:04"), signer(a.Name, a.By)
		view.Amendments = append(view.Amendments, av)
	}
	if open := b.view(p.Changes, 0); len(open.Rows) > 0 {
		view.Open = &open
	}
	f.Title, f.Wide, f.V = view.Number, true, view
	return f, nil
}

func (s *Server) publicationOf(ctx context.Context, r *http.Request) (fleet.PublishedPeriod, error) {
	n, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil || n < 1 {
		return fleet.PublishedPeriod{}, errNoPage
	}
	p, err := s.o.Publications.Published(ctx, fleet.PublicationID(n))
	if fleet.CodeOf(err) == fleet.NotFound {
		return p, errNoPage
	}
	if err != nil {
		return p, fmt.Errorf("reading publication: %w", err)
	}
	return p, nil
}

// amendments makes the views of amendments in their order: the sums of each
// begin where the one before ended.
type amendments struct {
	l      *lang
	v      *visit
	places *places
	units  map[fleet.UnitID]fleet.Counts // as published and amended so far
	names  map[fleet.UnitID]string
	order  []fleet.UnitID
}

func (b *amendments) view(changes []fleet.PublishedChange, id fleet.AmendmentID) amendmentView {
	l := b.l
	var av amendmentView
	before := map[fleet.UnitID]fleet.Counts{}
	for _, c := range changes {
		if c.Amendment != id {
			continue
		}
		if _, ok := before[c.Unit]; !ok {
			before[c.Unit] = b.units[c.Unit]
		}
		b.units[c.Unit] = moved(b.units[c.Unit], c.Was.Verdict, c.Now.Verdict)
		day := l.Day(c.Was.Day)
		av.Rows = append(av.Rows, amendedSlot{
			Point: b.places.point[c.Point].Name, Href: slotPath(c.Point, c.Slot), Unit: b.places.unit[c.Unit].Name,
			Slot: l.T("day.name", l.Date(day), l.Weekday(day)) + " " + c.Name,
			WasV: string(c.Was.Verdict), NowV: string(c.Now.Verdict), Was: l.T("verdict." + string(c.Was.Verdict)), Now: l.T("verdict." + string(c.Now.Verdict)),
			WasWhy: l.reason(c.Was.Reason), NowWhy: l.reason(c.Now.Reason),
			Cause: l.T("cause." + string(c.Cause)), Late: c.Cause == fleet.CauseLate, At: l.Stamp(c.At, b.v.Now),
		})
	}
	for _, u := range b.order {
		if was, ok := before[u]; ok && was != b.units[u] {
			av.Sums = append(av.Sums, amendedSum{b.names[u], l.figures(was).InWords, l.figures(b.units[u]).InWords})
		}
	}
	return av
}

// moved is c with one slot's verdict changed.
func moved(c fleet.Counts, from, to fleet.Verdict) fleet.Counts {
	var gone, come fleet.Counts
	gone.Add(from)
	come.Add(to)
	return fleet.Counts{
		Owed: c.Owed, Played: c.Played - gone.Played + come.Played, Partial: c.Partial - gone.Partial + come.Partial,
		Missed: c.Missed - gone.Missed + come.Missed, Doubt: c.Doubt - gone.Doubt + come.Doubt, Exempt: c.Exempt - gone.Exempt + come.Exempt,
		Pending: c.Pending - gone.Pending + come.Pending, Due: c.Due - gone.Due + come.Due,
	}
}

// amend signs what changed since.
func (s *Server) amend(w http.ResponseWriter, r *http.Request, v *visit) error {
	p, err := s.publicationOf(r.Context(), r)
	if err != nil {
		return err
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if r.FormValue("checked") != "yes" {
		return redirect(w, r, publicationPath(p.ID))
	}
	a, err := s.o.Publications.Amend(r.Context(), fleet.Amendment{
		Publication: p.ID, Year: v.L.in(v.Now).Year(), At: v.Now, By: v.User.Login, Name: v.User.Name,
	})
	if fe := (*fleet.Error)(nil); errors.As(err, &fe) && fe.Code == fleet.Conflict {
		return redirect(w, r, publicationPath(p.ID)) // somebody else signed it meanwhile
	}
	if err != nil {
		return fmt.Errorf("amending publication %d: %w", p.ID, err)
	}
	s.audit(r, v, fleet.AuditAmend, fmt.Sprintf("%d-%d", a.Year, a.Number), fmt.Sprintf("%d-%d", p.Year, p.Number))
	return redirect(w, r, publicationPath(p.ID)+"?done=amended")
}

// sealedView tells the compliance page which publication its period has.
type sealedView struct {
	Number, Href string
	Same         bool // exactly this period; otherwise a part of it or more
	Open         int
}

func (s *Server) sealed(ctx context.Context, v *visit, q complianceFilter) ([]sealedView, error) {
	all, err := s.o.Publications.Publications(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading publications: %w", err)
	}
	var list []sealedView
	for _, p := range all {
		if p.From > q.To || p.To < q.From {
			continue
		}
		list = append(list, sealedView{
			Number: v.L.T("publication.number", p.Year, p.Number), Href: publicationPath(p.ID), Same: p.From == q.From && p.To == q.To,
		})
	}
	return list, nil
}
