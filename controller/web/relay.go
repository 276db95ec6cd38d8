package web

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"gatecast/controller/fleet"
	"gatecast/controller/relay"
)

// RelayBook is what the pages read of items that are passed on. What does not
// exist is a *fleet.Error of code NotFound.
type RelayBook interface {
	RelayItems(ctx context.Context, query string, limit, offset int, now time.Time) ([]fleet.RelayItem, error)
	RelayTasks(ctx context.Context, f fleet.RelayFilter) ([]fleet.RelayTask, error)
	RelayPicture(ctx context.Context, id fleet.RelayID) ([]byte, error)
	RelayShot(ctx context.Context, id fleet.RelayTaskID) ([]byte, error)
	CloseRelay(ctx context.Context, id fleet.RelayID, at time.Time) error
}

// relayRoutes are the pages of what goes down the tiers of groups.
func (s *Server) relayRoutes(mux *http.ServeMux) {
	s.page(mux, fleet.ActRead, "/relay", "relay", s.relayList)
	s.may(mux, fleet.ActRelay, "POST /relay", s.addRelay)
	s.page(mux, fleet.ActRead, "/relay/overdue", "relayoverdue", s.relayOverdue)
	s.page(mux, fleet.ActRegister, "/relay/rules", "relayrules", s.relayRules)
	s.may(mux, fleet.ActRegister, "POST /relay/rules", s.setRelayRules)
	s.page(mux, fleet.ActRead, "/relay/{id}", "relayitem", s.relayItem)
	s.may(mux, fleet.ActRelay, "POST /relay/{id}/close", s.closeRelay)
	s.may(mux, fleet.ActRelay, "POST /relay/{id}/tasks/{task}", s.tickRelay)
	s.may(mux, fleet.ActRead, "GET /relay/{id}/picture", s.relayPicture)
	s.may(mux, fleet.ActRead, "GET /relay/{id}/tasks/{task}/shot", s.relayShot)
	s.page(mux, fleet.ActOwn, "/my/relay", "myrelay", s.myRelay)
	s.may(mux, fleet.ActOwn, "POST /my/relay/{task}", s.tickMine)
	s.may(mux, fleet.ActOwn, "GET /my/relay/{task}/picture", s.myPicture)
	s.may(mux, fleet.ActOwn, "GET /my/relay/{task}/shot", s.myShot)
	s.may(mux, fleet.ActOwn, "GET /my/relay/{task}/audio", s.myAudio)
}

func relayPath(id fleet.RelayID) string { return fmt.Sprintf("/relay/%d", id) }

// relayView is the list of items and the form of a new one.
type relayView struct {
	Query  string
	Rows   []relayRow
	Pager  pager
	Late   int // tasks that are overdue now
	Form   relayForm
	Tiered bool // there is a group of tier 1
}

type relayRow struct {
	Href, Text, Source, Received, Done string
	State                              deviceState
}

type relayForm struct {
	Text, Source, Received, Error string
	Clips                         []option
	Units                         []option
	Urgent                        bool
}

const relayPerPage = 50

func (s *Server) relayList(ctx context.Context, v *visit, r *http.Request) (frame, error) {
	f, err := s.frame(ctx, v, r, "relay.title", "relay")
	if err != nil {
		return f, err
	}
	q := r.URL.Query()
	page, err := strconv.Atoi(q.Get("page"))
	if err != nil || page < 1 || page > 1_000_000 {
		page = 1
	}
	view := &relayView{Query: strings.TrimSpace(q.Get("q")), Pager: pager{Page: page, Pages: page}}
	items, err := s.o.RelayBook.RelayItems(ctx, view.Query, relayPerPage+1, (page-1)*relayPerPage, v.Now)
	if err != nil {
		return f, fmt.Errorf("reading items: %w", err)
	}
	link := func(n int) string {
		return "/relay?" + url.Values{"q": {view.Query}, "page": {strconv.Itoa(n)}}.Encode()
	}
	if page > 1 {
		view.Pager.Previous = link(page - 1)
	}
	if len(items) > relayPerPage {
		items, view.Pager.Next, view.Pager.Pages = items[:relayPerPage], link(page+1), page+1
	}
	for _, i := range items {
		view.Rows = append(view.Rows, relayRow{
			Href: relayPath(i.ID), Text: relay.Brief(i), Source: i.Source, Received: v.L.Stamp(i.Received, v.Now), Done: v.L.T("relay.done.of", i.Done, i.Tasks), State: v.L.relayState(i),
		})
	}
	over, err := s.o.Relay.Overdue(ctx)
	if err != nil {
		return f, err
	}
	view.Late = len(over.Rows)
	if view.Form, view.Tiered, err = s.relayForm(ctx, v); err != nil {
		return f, err
	}
	f.V = view
	return f, nil
}

func (l *lang) relayState(i fleet.RelayItem) deviceState {
	switch {
	case !i.Closed.IsZero():
		return deviceState{Icon: "i-dash", Text: l.T("relay.closed")}
	case i.Late > 0:
		return deviceState{Tone: "bad", Icon: "i-clock", Text: l.T("relay.late", i.Late)}
	case i.Done < i.Tasks:
		return deviceState{Tone: "warn", Icon: "i-clock", Text: l.T("relay.waiting")}
	}
	return deviceState{Tone: "ok", Icon: "i-check", Text: l.T("relay.all_done")}
}

func (s *Server) relayForm(ctx context.Context, v *visit) (form relayForm, tiered bool, err error) {
	form.Received = v.L.in(v.Now).Format("15:04")
	clips, err := s.o.Clips.Clips(ctx)
	if err != nil {
		return form, false, fmt.Errorf("reading clips: %w", err)
	}
	for _, c := range clips {
		if c.State == fleet.ClipApproved {
			form.Clips = append(form.Clips, option{Value: fmt.Sprint(c.ID), Text: c.Title})
		}
	}
	chain, err := s.o.Relay.Chain(ctx)
	if err != nil {
		return form, false, err
	}
	with := map[fleet.UnitID]bool{}
	for _, g := range chain.Groups {
		if g.State.Lives() {
			with[g.Unit] = true
			tiered = tiered || g.Tier == 1
		}
	}
	for _, u := range chain.Units {
		if with[u.ID] && u.Parent != 0 {
			form.Units = append(form.Units, option{Value: fmt.Sprint(u.ID), Text: u.Name})
		}
	}
	return form, tiered, nil
}

// addRelay takes in what the office pasted.
func (s *Server) addRelay(w http.ResponseWriter, r *http.Request, v *visit) error {
	form, pic, err := readUpload(w, r, "picture")
	if err != nil {
		return err
	}
	item := fleet.RelayItem{Text: strings.TrimSpace(strings.ReplaceAll(form.Get("text"), "\r\n", "\n")), Source: strings.TrimSpace(form.Get("source")), By: v.User.Login, Name: v.User.Name, Urgent: form.Get("urgent") == "1"}
	item.Received, err = s.receivedAt(form.Get("received"), v.Now)
	if n, bad := strconv.ParseInt(form.Get("clip"), 10, 64); bad == nil && n > 0 && err == nil {
		var c fleet.Clip
		if c, err = s.o.Clips.Clip(r.Context(), fleet.ClipID(n)); err == nil {
			item.Clip = c.ID
		}
	}
	for _, text := range form["unit"] {
		if n, bad := strconv.ParseInt(text, 10, 64); bad == nil && n > 0 {
			item.Units = append(item.Units, fleet.UnitID(n))
		}
	}
	ctx, line := s.withAudit(r, v, fleet.Audit{What: fleet.AuditRelay, Object: relay.Brief(item), Detail: item.Source})
	var id fleet.RelayID
	if err == nil {
		id, err = s.o.Relay.Create(ctx, item, pic)
	}
	if why, ok := refusalOf(v.L, err); ok {
		f, err := s.relayList(r.Context(), v, r)
		if err != nil {
			return err
		}
		kept := &f.V.(*relayView).Form
		kept.Error, kept.Text, kept.Source, kept.Received, kept.Urgent = why, form.Get("text"), form.Get("source"), form.Get("received"), item.Urgent
		for i := range kept.Clips {
			kept.Clips[i].On = kept.Clips[i].Value == form.Get("clip")
		}
		for i := range kept.Units {
			for _, u := range form["unit"] {
				kept.Units[i].On = kept.Units[i].On || kept.Units[i].Value == u
			}
		}
		f.Here = "/relay"
		return s.show(w, http.StatusUnprocessableEntity, "relay", f)
	}
	if err != nil {
		return err
	}
	s.audited(r, line)
	return redirect(w, r, relayPath(id)+"?done=relay")
}

// receivedAt reads when something was received: a time of today, or a day and a
// time; empty means now.
func (s *Server) receivedAt(text string, now time.Time) (time.Time, error) {
	text = strings.TrimSpace(strings.ReplaceAll(text, "：", ":"))
	if text == "" {
		return now, nil
	}
	if at, err := time.ParseInLocation("2006-01-02 15:04", text, s.o.Zone); err == nil {
		return at, nil
	}
	at, err := time.ParseInLocation("2006-01-02 15:04", now.In(s.o.Zone).Format("2006-01-02 ")+text, s.o.Zone)
	if err != nil {
		return now, &fleet.Error{Code: fleet.Invalid, Text: "收到时间要写成 14:00，不是今天的写成 2026-11-22 14:00。", TextEN: "Write when it was received like 14:00, or 2026-11-22 14:00 for another day.", Err: err}
	}
	return at, nil
}

// relayItemView is one item with its tree.
type relayItemView struct {
	ID        fleet.RelayID
	Text      string
	Brief     string
	Source    string
	Received  string
	By        string
	Clip      string
	ClipHref  string
	Picture   string
	Urgent    bool
	Closed    string
	State     deviceState
	Tiers     []relayTier
	Stuck     []stuckRow
	Nodes     []relayNode
	Open      bool
	Reminder  string // to be pasted, for those who are late
	Insertion string
}

type relayTier struct{ Name, Done, Rest string }

type stuckRow struct{ Group, Owner, Phone, Due, Stops string }

type relayNode struct {
	Name, Time, Shot, Tick string
	By                     string
	State                  deviceState
	Open                   bool // something below it, or it itself, is not done
	Below                  []relayNode
}

func relayID(r *http.Request) (fleet.RelayID, error) {
	n, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil || n < 1 {
		return 0, &fleet.Error{Code: fleet.NotFound, Text: "没有这条转发。", TextEN: "There is no such item."}
	}
	return fleet.RelayID(n), nil
}

func (s *Server) relayItem(ctx context.Context, v *visit, r *http.Request) (frame, error) {
	id, err := relayID(r)
	if err != nil {
		return frame{}, err
	}
	f, err := s.frame(ctx, v, r, "", "relay")
	if err != nil {
		return f, err
	}
	item, tree, err := s.o.Relay.Tree(ctx, id)
	if err != nil {
		return f, err
	}
	view := &relayItemView{
		ID: id, Text: item.Text, Brief: relay.Brief(item), Source: item.Source, Received: v.L.Stamp(item.Received, v.Now), By: item.Name, Urgent: item.Urgent,
		State: v.L.relayState(item), Open: item.Closed.IsZero() && item.Done < item.Tasks,
	}
	if !item.Closed.IsZero() {
		view.Closed = v.L.Stamp(item.Closed, v.Now)
	}
	if item.Picture {
		view.Picture = relayPath(id) + "/picture"
	}
	if item.Insertion != 0 {
		view.Insertion = urgentPath(item.Insertion)
	}
	if item.Clip != 0 {
		c, err := s.o.Clips.Clip(ctx, item.Clip)
		if err != nil {
			return f, fmt.Errorf("reading clip: %w", err)
		}
		view.Clip, view.ClipHref = c.Title, clipPath(c.ID)
	}
	for n, c := range tree.Tiers {
		row := relayTier{Name: v.L.T(fmt.Sprintf("groups.tier.%d", n+1)), Done: fmt.Sprintf("%d/%d", c.Done, c.All)}
		var rest []string
		for _, p := range []struct {
			key string
			n   int
		}{{"relay.n.overdue", c.Overdue}, {"relay.n.waiting", c.Waiting}, {"relay.n.unsent", c.Unsent}} {
			if p.n > 0 {
				rest = append(rest, v.L.T(p.key, p.n))
			}
		}
		row.Rest = strings.Join(rest, v.L.T("list"))
		view.Tiers = append(view.Tiers, row)
	}
	for _, n := range tree.Stuck {
		row := stuckRow{Group: n.Group.Name, Owner: n.Group.Owner, Phone: n.Group.OwnerPhone.String(), Due: v.L.T("relay.overdue.by", v.L.Span(v.Now.Sub(n.Task.Due)))}
		if n.Stops > 0 {
			row.Stops = v.L.T("relay.stops", n.Stops)
		}
		view.Stuck = append(view.Stuck, row)
	}
	for _, n := range tree.Roots {
		view.Nodes = append(view.Nodes, v.L.relayNode(item, n, fleet.May(v.User.Role, fleet.ActRelay), v.Now))
	}
	over, err := s.o.Relay.Overdue(ctx)
	if err != nil {
		return f, err
	}
	mine := relay.Digest{At: over.At}
	for _, row := range over.Rows {
		if row.Item.ID == id {
			mine.Rows = append(mine.Rows, row)
		}
	}
	view.Reminder = mine.Text(s.o.Zone)
	f.Title, f.V = view.Brief, view
	return f, nil
}

// relayNode is one group of a tree with those below it; mayTick says whether
// the reader may tick for others.
func (l *lang) relayNode(item fleet.RelayItem, n relay.Node, mayTick bool, now time.Time) relayNode {
	row := relayNode{Name: n.Group.Name, By: n.Task.Name}
	switch n.State {
	case relay.Done:
		row.State = deviceState{Tone: "ok", Icon: "i-check", Text: l.T("relay.state.done")}
		row.Time = l.T("relay.hop", l.Stamp(n.Task.Done, now), l.Span(n.Hop))
		if n.Task.Done.After(n.Task.Due) {
			row.State = deviceState{Tone: "warn", Icon: "i-check", Text: l.T("relay.state.late")}
		}
	case relay.Waiting:
		row.State = deviceState{Tone: "warn", Icon: "i-clock", Text: l.T("relay.state.waiting")}
		row.Time = l.T("relay.due", l.Stamp(n.Task.Due, now))
	case relay.Overdue:
		row.State = deviceState{Tone: "bad", Icon: "i-clock", Text: l.T("relay.overdue.by", l.Span(now.Sub(n.Task.Due)))}
		row.Time = l.T("relay.due", l.Stamp(n.Task.Due, now))
	case relay.Unsent:
		row.State = deviceState{Icon: "i-dash", Text: l.T("relay.state.unsent")}
		row.Time = l.T("relay.above")
	case relay.Dropped:
		row.State = deviceState{Icon: "i-dash", Text: l.T("relay.closed")}
	}
	if n.Task.Shot {
		row.Shot = fmt.Sprintf("%s/tasks/%d/shot", relayPath(item.ID), n.Task.ID)
	}
	if mayTick && (n.State == relay.Waiting || n.State == relay.Overdue) {
		row.Tick = fmt.Sprintf("%s/tasks/%d", relayPath(item.ID), n.Task.ID)
	}
	row.Open = n.State != relay.Done
	for _, below := range n.Below {
		child := l.relayNode(item, below, mayTick, now)
		row.Open = row.Open || child.Open
		row.Below = append(row.Below, child)
	}
	return row
}

func (s *Server) closeRelay(w http.ResponseWriter, r *http.Request, v *visit) error {
	id, err := relayID(r)
	if err != nil {
		return err
	}
	item, _, err := s.o.Relay.Tree(r.Context(), id)
	if err != nil {
		return err
	}
	ctx, line := s.withAudit(r, v, fleet.Audit{What: fleet.AuditRelayClosed, Object: relay.Brief(item)})
	if err := s.o.RelayBook.CloseRelay(ctx, id, v.Now); err != nil {
		return err
	}
	s.audited(r, line)
	return redirect(w, r, relayPath(id))
}

// overdueView is the digest of what is overdue now.
type overdueView struct {
	Rows []overdueRow
	Text string
}

type overdueRow struct{ Unit, Group, GroupHref, Owner, Phone, Item, Href, Due, For string }

func (s *Server) relayOverdue(ctx context.Context, v *visit, r *http.Request) (frame, error) {
	f, err := s.frame(ctx, v, r, "relay.overdue", "relay")
	if err != nil {
		return f, err
	}
	over, err := s.o.Relay.Overdue(ctx)
	if err != nil {
		return f, err
	}
	view := &overdueView{Text: over.Text(s.o.Zone)}
	for _, o := range over.Rows {
		view.Rows = append(view.Rows, overdueRow{
			Unit: o.Unit.Name, Group: o.Group.Name, GroupHref: groupPath(o.Group.ID), Owner: o.Group.Owner, Phone: o.Group.OwnerPhone.String(),
			Item: relay.Brief(o.Item), Href: relayPath(o.Item.ID), Due: v.L.Stamp(o.Task.Due, v.Now), For: v.L.Span(o.For),
		})
	}
	f.V = view
	return f, nil
}

// overdueNeed is what the overview says of the relay; ok is false for nothing.
func (s *Server) overdueNeed(ctx context.Context, l *lang) (n need, ok bool, err error) {
	over, err := s.o.Relay.Overdue(ctx)
	if err != nil || len(over.Rows) == 0 {
		return need{}, false, err
	}
	first := over.Rows[0].Task.Due
	for _, row := range over.Rows {
		if row.Task.Due.Before(first) {
			first = row.Task.Due
		}
	}
	return need{
		Tone: "warn", Icon: "i-clock", Href: "/relay/overdue", Title: l.T("need.relay", len(over.Rows)), Text: l.T("need.relay.text", len(over.Units())), Age: l.Span(over.At.Sub(first)),
		rank: toneRank["warn"], since: first, Copy: over.Text(s.o.Zone),
	}, true, nil
}

// relayRulesView is the form of the deadlines.
type relayRulesView struct {
	Minutes        [3]string
	Urgent, Digest string
	Error          string
}

func (s *Server) relayRules(ctx context.Context, v *visit, r *http.Request) (frame, error) {
	f, err := s.frame(ctx, v, r, "relay.rules", "relay")
	if err != nil {
		return f, err
	}
	rules, err := s.o.Relay.Rules(ctx)
	if err != nil {
		return f, err
	}
	view := &relayRulesView{Urgent: strconv.Itoa(rules.Urgent), Digest: fmt.Sprintf("%02d:%02d", rules.Digest/60, rules.Digest%60)}
	for i, m := range rules.Minutes {
		view.Minutes[i] = strconv.Itoa(m)
	}
	f.V = view
	return f, nil
}

func (s *Server) setRelayRules(w http.ResponseWriter, r *http.Request, v *visit) error {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	was, err := s.o.Relay.Rules(r.Context())
	if err != nil {
		return err
	}
	rules := relay.Rules{}
	number := func(key string) int {
		n, err := strconv.Atoi(strings.TrimSpace(r.FormValue(key)))
		if err != nil {
			return -1 // refused with the range
		}
		return n
	}
	for i := range rules.Minutes {
		rules.Minutes[i] = number(fmt.Sprintf("tier%d", i+1))
	}
	rules.Urgent, rules.Digest = number("urgent"), -1
	if at, err := time.Parse("15:04", strings.TrimSpace(strings.ReplaceAll(r.FormValue("digest"), "：", ":"))); err == nil {
		rules.Digest = at.Hour()*60 + at.Minute()
	}
	ctx, line := s.withAudit(r, v, fleet.Audit{What: fleet.AuditRelayRules, Before: was.String(), After: rules.String()})
	err = s.o.Relay.SetRules(ctx, rules)
	if why, ok := refusalOf(v.L, err); ok {
		f, err := s.relayRules(r.Context(), v, r)
		if err != nil {
			return err
		}
		f.V = &relayRulesView{Minutes: [3]string{r.FormValue("tier1"), r.FormValue("tier2"), r.FormValue("tier3")}, Urgent: r.FormValue("urgent"), Digest: r.FormValue("digest"), Error: why}
		return s.show(w, http.StatusUnprocessableEntity, "relayrules", f)
	}
	if err != nil {
		return err
	}
	s.audited(r, line)
	return redirect(w, r, "/relay/rules?done=relay_rules")
}
