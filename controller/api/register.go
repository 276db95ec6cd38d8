package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"gatecast/controller/fleet"
)

type unitView struct {
	Code   string `json:"code"`
	Name   string `json:"name"`
	Short  string `json:"short_name"`
	Type   string `json:"type"`
	Parent string `json:"parent"` // code, empty at the top
}

// units lists the tree of units, parents before children.
func (s *Server) units(c *call) (any, error) {
	if q := c.read(); q.err != nil {
		return nil, q.err
	}
	all, code, err := s.unitCodes(c)
	if err != nil {
		return nil, err
	}
	list := make([]unitView, len(all))
	for i, u := range all {
		list[i] = unitView{u.Code, u.Name, u.ShortName, string(u.Type), code[u.Parent]}
	}
	return map[string]any{"units": list}, nil
}

func (s *Server) unitCodes(c *call) ([]fleet.Unit, map[fleet.UnitID]string, error) {
	all, err := s.o.Fleet.Units(c.Context())
	if err != nil {
		return nil, nil, fmt.Errorf("reading units: %w", err)
	}
	code := make(map[fleet.UnitID]string, len(all))
	for _, u := range all {
		code[u.ID] = u.Code
	}
	return all, code, nil
}

type clipView struct {
	ID       fleet.ClipID    `json:"id"`
	Name     string          `json:"name"`
	Title    string          `json:"title"`
	Text     string          `json:"text"`
	ScamType string          `json:"scam_type"`
	Audience string          `json:"audience"`
	SHA256   string          `json:"sha256"`
	MS       int64           `json:"duration_ms"`
	LUFS     float64         `json:"lufs"`
	State    fleet.ClipState `json:"state"` // on this day
	Signer   string          `json:"signed_by"`
	Signed   *time.Time      `json:"signed"`
	From     fleet.Day       `json:"valid_from"`
	Until    fleet.Day       `json:"valid_until"`
}

// clips lists the library.
func (s *Server) clips(c *call) (any, error) {
	q := c.read("state")
	state := q.values.Get("state")
	if q.err != nil {
		return nil, q.err
	}
	all, err := s.o.Library.Clips(c.Context())
	if err != nil {
		return nil, fmt.Errorf("reading clips: %w", err)
	}
	today := fleet.Day(c.Now.In(s.o.Zone).Format(time.DateOnly))
	list := []clipView{}
	for _, v := range all {
		if st := v.Standing(today); state == "" || string(st) == state {
			list = append(list, clipView{
				v.ID, v.Name, v.Title, v.Text, v.ScamType, v.Audience, v.SHA256, v.Duration().Milliseconds(), v.LUFS, st, v.Signer, instant(v.Signed), v.ValidFrom, v.ValidUntil,
			})
		}
	}
	return map[string]any{"clips": list}, nil
}

type programmeView struct {
	ID        fleet.ProgrammeID    `json:"id"`
	Code      string               `json:"code"`
	Version   int                  `json:"version"`
	Name      string               `json:"name"`
	State     fleet.ProgrammeState `json:"state"`
	By        string               `json:"by"`
	Uploaded  *time.Time           `json:"uploaded"`
	Activated *time.Time           `json:"activated"`
}

// programmes lists every version of every programme.
func (s *Server) programmes(c *call) (any, error) {
	if q := c.read(); q.err != nil {
		return nil, q.err
	}
	all, err := s.o.Library.Programmes(c.Context())
	if err != nil {
		return nil, fmt.Errorf("reading programmes: %w", err)
	}
	list := make([]programmeView, len(all))
	for i, p := range all {
		list[i] = programmeView{p.ID, p.Code, p.Version, p.Name, p.State, p.By, instant(p.Uploaded), instant(p.Activated)}
	}
	return map[string]any{"programmes": list}, nil
}

type groupView struct {
	Code       string           `json:"code"`
	Name       string           `json:"name"`
	Tier       int              `json:"tier"`
	Unit       string           `json:"unit"` // code
	State      fleet.GroupState `json:"state"`
	Platform   string           `json:"platform"`
	Members    int              `json:"members"`
	Households int              `json:"households"`
	Joined     int              `json:"households_joined"`
}

// groups lists the publicity groups by numbers; nobody who is in one is named.
func (s *Server) groups(c *call) (any, error) {
	if q := c.read(); q.err != nil {
		return nil, q.err
	}
	_, code, err := s.unitCodes(c)
	if err != nil {
		return nil, err
	}
	all, err := s.o.Relay.Groups(c.Context())
	if err != nil {
		return nil, fmt.Errorf("reading groups: %w", err)
	}
	list := make([]groupView, len(all))
	for i, g := range all {
		list[i] = groupView{g.Code, g.Name, g.Tier, code[g.Unit], g.State, g.Platform, g.Members, g.Households, g.Joined}
	}
	return map[string]any{"groups": list}, nil
}

type relayView struct {
	ID       fleet.RelayID `json:"id"`
	Text     string        `json:"text"`
	Source   string        `json:"source"`
	Urgent   bool          `json:"urgent"`
	Received *time.Time    `json:"received"`
	Closed   *time.Time    `json:"closed"`
	Tasks    int           `json:"tasks"`
	Done     int           `json:"done"`
	Late     int           `json:"late"`
}

// relayItems lists what goes down the tiers, the newest first.
func (s *Server) relayItems(c *call) (any, error) {
	q := c.read("q", "limit", "offset")
	limit, offset := q.limit(100), q.number("offset", 0, 1<<30)
	if q.err != nil {
		return nil, q.err
	}
	all, err := s.o.Relay.RelayItems(c.Context(), q.values.Get("q"), limit, offset, c.Now)
	if err != nil {
		return nil, fmt.Errorf("reading relay: %w", err)
	}
	list := make([]relayView, len(all))
	for i, v := range all {
		list[i] = relayView{v.ID, fleet.MaskPhones(v.Text), v.Source, v.Urgent, instant(v.Received), instant(v.Closed), v.Tasks, v.Done, v.Late}
	}
	return map[string]any{"items": list}, nil
}

type taskView struct {
	ID      fleet.RelayTaskID `json:"id"`
	Item    fleet.RelayID     `json:"item"`
	Group   string            `json:"group"` // code
	Name    string            `json:"group_name"`
	Tier    int               `json:"tier"`
	Created *time.Time        `json:"created"`
	Due     *time.Time        `json:"due"`
	Done    *time.Time        `json:"done"`
	Late    bool              `json:"late"`
	Shot    bool              `json:"screenshot"`
}

// relayTasks lists what groups have to pass on: of one item, or all that is
// open.
func (s *Server) relayTasks(c *call) (any, error) {
	q := c.read("item", "open", "limit")
	f := fleet.RelayFilter{Item: fleet.RelayID(q.id("item", 0, 1<<53)), Limit: q.limit(500)}
	f.Open = q.word("open", "1", "0") == "1"
	if q.err != nil {
		return nil, q.err
	}
	all, err := s.o.Relay.RelayTasks(c.Context(), f)
	if err != nil {
		return nil, fmt.Errorf("reading relay tasks: %w", err)
	}
	groups, err := s.o.Relay.Groups(c.Context())
	if err != nil {
		return nil, fmt.Errorf("reading groups: %w", err)
	}
	group := make(map[fleet.GroupID]fleet.Group, len(groups))
	for _, g := range groups {
		group[g.ID] = g
	}
	list := make([]taskView, len(all))
	for i, t := range all {
		g := group[t.Group]
		list[i] = taskView{t.ID, t.Item, g.Code, g.Name, t.Tier, instant(t.Created), instant(t.Due), instant(t.Done), t.Late(c.Now), t.Shot}
	}
	return map[string]any{"tasks": list}, nil
}

// addRelay starts an item on its way, as if it were pasted on the page.
func (s *Server) addRelay(c *call) (any, error) {
	if q := c.read(); q.err != nil {
		return nil, q.err
	}
	var body struct {
		Text   string `json:"text"`
		Source string `json:"source"`
		Urgent bool   `json:"urgent"`
	}
	dec := json.NewDecoder(c.Body)
	dec.DisallowUnknownFields()
	if err := dec.Decode(&body); err != nil {
		return nil, invalid("请求正文应为 JSON："+`{"text","source","urgent"}`+"。", `The body must be JSON: {"text","source","urgent"}.`)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, invalid("请求正文只能有一个 JSON 对象。", "The body must be one JSON object.")
	}
	item := fleet.RelayItem{Text: strings.TrimSpace(body.Text), Source: strings.TrimSpace(body.Source), Urgent: body.Urgent, Received: c.Now, By: c.Owner.Login, Name: c.Owner.Name}
	ctx, line := fleet.WithAudit(c.Context(), fleet.Audit{
		At: c.Now, Who: c.Owner.Login, Role: c.Owner.Role, From: address(c.Request), What: fleet.AuditRelayAPI, Object: item.Source, Detail: "API: " + strings.TrimSpace(c.Token.Name),
	})
	id, err := s.o.Relay.AddItem(ctx, item)
	if err != nil {
		return nil, err
	}
	if !line.Written() {
		if err := s.o.Audit.AddAudit(c.Context(), line.Line); err != nil {
			s.o.Logger.Error("writing audit line", "what", fleet.AuditRelayAPI, "object", item.Source, "err", err)
		}
	}
	return map[string]any{"id": id}, nil
}
