package client

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// TokenInfo tells what the token holds.
type TokenInfo struct {
	Name    string     `json:"name"`
	Owner   string     `json:"owner"`
	Scopes  []string   `json:"scopes"`
	Expires *time.Time `json:"expires"`
}

// TokenInfo returns what the token holds.
func (c *Client) TokenInfo(ctx context.Context) (v TokenInfo, err error) {
	return v, c.get(ctx, "token", nil, &v)
}

// Document returns openapi.yaml as the controller has it.
func (c *Client) Document(ctx context.Context) ([]byte, error) {
	r, err := c.request(ctx, http.MethodGet, "openapi.yaml", nil, nil)
	if err != nil {
		return nil, err
	}
	res, err := c.send(c.http(), r)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	return io.ReadAll(io.LimitReader(res.Body, 4<<20))
}

// Health says whether the controller can do its work.
type Health struct {
	Status    string     `json:"status"` // ok or trouble
	Trouble   *Error     `json:"trouble"`
	Version   string     `json:"version"`
	Now       *time.Time `json:"now"`
	Points    int        `json:"points"`
	Devices   int        `json:"devices"` // active ones
	Online    int        `json:"online"`
	Incidents int        `json:"incidents_open"`
}

// Health returns how the controller is.
func (c *Client) Health(ctx context.Context) (v Health, err error) {
	return v, c.get(ctx, "health", nil, &v)
}

// Unit is a node of the tree of units.
type Unit struct {
	Code   string `json:"code"`
	Name   string `json:"name"`
	Short  string `json:"short_name"`
	Type   string `json:"type"`
	Parent string `json:"parent"` // code, empty at the top
}

// Units returns the tree of units.
func (c *Client) Units(ctx context.Context) ([]Unit, error) {
	var v struct{ Units []Unit }
	return v.Units, c.get(ctx, "units", nil, &v)
}

// Point is a gate or a village loudspeaker.
type Point struct {
	Code     string     `json:"code"`
	Name     string     `json:"name"`
	Kind     string     `json:"kind"`
	Unit     string     `json:"unit"` // code
	UnitName string     `json:"unit_name"`
	Tags     []string   `json:"tags"`
	Active   *time.Time `json:"active_from"`
	Device   *Device    `json:"device"` // nil where none is active
}

// Device is what a device said last.
type Device struct {
	ID         string           `json:"id"`
	Online     bool             `json:"online"`
	Seen       *time.Time       `json:"last_seen"`
	Agent      string           `json:"agent"`
	Plan       uint64           `json:"plan_version"`
	WantPlan   uint64           `json:"plan_wanted"`
	Missing    int              `json:"clips_missing"`
	TimeLevel  int              `json:"time_level"`
	Playing    string           `json:"playing"`
	Horizon    *time.Time       `json:"horizon"`
	Conditions []map[string]any `json:"conditions"`
}

// Page selects rows; the zero value is the first page as the controller cuts it.
type Page struct{ Limit, Offset int }

// Points returns points, those with a tag unless it is empty.
func (c *Client) Points(ctx context.Context, tag string, p Page) ([]Point, error) {
	var v struct{ Points []Point }
	return v.Points, c.get(ctx, "points", values("tag", tag, "limit", p.Limit, "offset", p.Offset), &v)
}

// Point returns the point with that code.
func (c *Client) Point(ctx context.Context, code string) (v Point, err error) {
	return v, c.get(ctx, "points/"+url.PathEscape(code), nil, &v)
}

// JoinCode is the line to paste at a device.
type JoinCode struct {
	Line    string     `json:"line"`
	Expires *time.Time `json:"expires"`
}

// AddJoinCode makes a code with which one device can enrol for a point.
func (c *Client) AddJoinCode(ctx context.Context, point string) (v JoinCode, err error) {
	return v, c.do(ctx, http.MethodPost, "points/"+url.PathEscape(point)+"/join-codes", nil, nil, &v)
}

// Period is from one day to another, such as 2026-11-23; empty is today.
type Period struct{ From, To string }

// Obligation is what was owed at a point, and what came of it.
type Obligation struct {
	Point   string     `json:"point"` // code
	Slot    string     `json:"slot"`
	Day     string     `json:"day"`
	Name    string     `json:"name"`
	Start   *time.Time `json:"start"`
	End     *time.Time `json:"end"`
	Verdict string     `json:"verdict"`
	Grade   string     `json:"grade"`
	Reason  string     `json:"reason"`
	Plays   int        `json:"plays"`
	Played  int        `json:"plays_ok"`
	SoundMS int64      `json:"sound_ms"`
	Settled *time.Time `json:"settled"`
	Device  string     `json:"device"`
	Demo    bool       `json:"demo"`
}

// Obligations is one page of them.
type Obligations struct {
	From        string       `json:"from"`
	To          string       `json:"to"`
	Obligations []Obligation `json:"obligations"`
	Next        *int         `json:"next"` // offset of the following page, nil after the last
}

// Obligations returns what was owed in a period; point and verdict may be empty.
func (c *Client) Obligations(ctx context.Context, in Period, point, verdict string, p Page) (v Obligations, err error) {
	return v, c.get(ctx, "obligations", values("from", in.From, "to", in.To, "point", point, "verdict", verdict, "limit", p.Limit, "offset", p.Offset), &v)
}

// Counts are sums of a period.
type Counts struct {
	Unit  string `json:"unit"`
	Point string `json:"point"`
	Day   string `json:"day"`
	Slot  string `json:"slot"`

	Owed    int `json:"owed"`
	Played  int `json:"played"`
	Partial int `json:"partial"`
	Missed  int `json:"missed"`
	Doubt   int `json:"doubt"`
	Exempt  int `json:"exempt"`
	Pending int `json:"pending"`
	Due     int `json:"due"`
	Demo    int `json:"demo"`

	Confirmed *float64 `json:"confirmed"` // nil where nothing was owed
	Strict    *float64 `json:"counting_pending"`
}

// Compliance is a period summed up.
type Compliance struct {
	From  string   `json:"from"`
	To    string   `json:"to"`
	Total Counts   `json:"total"`
	Rows  []Counts `json:"rows"`
}

// Compliance sums a period up by unit, point, day or slot.
func (c *Client) Compliance(ctx context.Context, in Period, by ...string) (v Compliance, err error) {
	return v, c.get(ctx, "compliance", values("from", in.From, "to", in.To, "by", strings.Join(by, ",")), &v)
}

// Incident is a 安全事件.
type Incident struct {
	ID     int64      `json:"id"`
	Kind   string     `json:"kind"`
	Point  string     `json:"point"`
	Device string     `json:"device"`
	From   string     `json:"from"`
	Detail string     `json:"detail"`
	First  *time.Time `json:"first"`
	Last   *time.Time `json:"last"`
	Count  int        `json:"count"`
	Seen   *time.Time `json:"seen"` // nil while open
}

// Incidents returns the incidents, only open ones on demand.
func (c *Client) Incidents(ctx context.Context, open bool, p Page) ([]Incident, error) {
	var v struct{ Incidents []Incident }
	return v.Incidents, c.get(ctx, "incidents", values("open", open, "limit", p.Limit, "offset", p.Offset), &v)
}

// Clip is a clip of the library.
type Clip struct {
	ID       int64      `json:"id"`
	Name     string     `json:"name"`
	Title    string     `json:"title"`
	Text     string     `json:"text"`
	ScamType string     `json:"scam_type"`
	Audience string     `json:"audience"`
	SHA256   string     `json:"sha256"`
	MS       int64      `json:"duration_ms"`
	LUFS     float64    `json:"lufs"`
	State    string     `json:"state"`
	Signer   string     `json:"signed_by"`
	Signed   *time.Time `json:"signed"`
	From     string     `json:"valid_from"`
	Until    string     `json:"valid_until"`
}

// Clips returns the library, or the clips in one state.
func (c *Client) Clips(ctx context.Context, state string) ([]Clip, error) {
	var v struct{ Clips []Clip }
	return v.Clips, c.get(ctx, "clips", values("state", state), &v)
}

// Programme is one version of a programme.
type Programme struct {
	ID        int64      `json:"id"`
	Code      string     `json:"code"`
	Version   int        `json:"version"`
	Name      string     `json:"name"`
	State     string     `json:"state"`
	By        string     `json:"by"`
	Uploaded  *time.Time `json:"uploaded"`
	Activated *time.Time `json:"activated"`
}

// Programmes returns every version of every programme.
func (c *Client) Programmes(ctx context.Context) ([]Programme, error) {
	var v struct{ Programmes []Programme }
	return v.Programmes, c.get(ctx, "programmes", nil, &v)
}

// Group is a publicity group, by numbers.
type Group struct {
	Code       string `json:"code"`
	Name       string `json:"name"`
	Tier       int    `json:"tier"`
	Unit       string `json:"unit"`
	State      string `json:"state"`
	Platform   string `json:"platform"`
	Members    int    `json:"members"`
	Households int    `json:"households"`
	Joined     int    `json:"households_joined"`
}

// Groups returns the groups of the three tiers.
func (c *Client) Groups(ctx context.Context) ([]Group, error) {
	var v struct{ Groups []Group }
	return v.Groups, c.get(ctx, "groups", nil, &v)
}

// RelayItem is a text on its way down the tiers.
type RelayItem struct {
	ID       int64      `json:"id"`
	Text     string     `json:"text"`
	Source   string     `json:"source"`
	Urgent   bool       `json:"urgent"`
	Received *time.Time `json:"received"`
	Closed   *time.Time `json:"closed"`
	Tasks    int        `json:"tasks"`
	Done     int        `json:"done"`
	Late     int        `json:"late"`
}

// RelayItems returns what goes down the tiers, the newest first; part of text
// or source may be empty.
func (c *Client) RelayItems(ctx context.Context, part string, p Page) ([]RelayItem, error) {
	var v struct{ Items []RelayItem }
	return v.Items, c.get(ctx, "relay/items", values("q", part, "limit", p.Limit, "offset", p.Offset), &v)
}

// AddRelayItem starts a text on its way and returns its number.
func (c *Client) AddRelayItem(ctx context.Context, text, source string, urgent bool) (int64, error) {
	var v struct{ ID int64 }
	return v.ID, c.do(ctx, http.MethodPost, "relay/items", nil, map[string]any{"text": text, "source": source, "urgent": urgent}, &v)
}

// RelayTask is one group's turn.
type RelayTask struct {
	ID      int64      `json:"id"`
	Item    int64      `json:"item"`
	Group   string     `json:"group"`
	Name    string     `json:"group_name"`
	Tier    int        `json:"tier"`
	Created *time.Time `json:"created"`
	Due     *time.Time `json:"due"`
	Done    *time.Time `json:"done"`
	Late    bool       `json:"late"`
	Shot    bool       `json:"screenshot"`
}

// RelayTasks returns what groups have to pass on: of one item, or of all for 0.
func (c *Client) RelayTasks(ctx context.Context, item int64, open bool) ([]RelayTask, error) {
	var v struct{ Tasks []RelayTask }
	return v.Tasks, c.get(ctx, "relay/tasks", values("item", item, "open", open), &v)
}
