package controller

import (
	"context"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"time"

	"gatecast/controller/broker"
	"gatecast/controller/dossier"
	"gatecast/controller/fleet"
	"gatecast/controller/media"
	"gatecast/controller/planner"
	"gatecast/controller/trust"
	"gatecast/controller/web"
	"gatecast/internal/seal"
	"gatecast/internal/wire"
	"gatecast/schedules"
)

// hosts returns the names by which gates reach this machine.
func (c *Controller) hosts() []string {
	if len(c.o.Config.Hosts) > 0 {
		return c.o.Config.Hosts
	}
	return addresses()
}

func (c *Controller) url(scheme string, l net.Listener) string {
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		return ""
	}
	return scheme + "://" + net.JoinHostPort(c.hosts()[0], port)
}

// WebURL is where the pages are.
func (c *Controller) WebURL() string {
	if c.o.Config.Web.Plain {
		return c.url("http", c.webL)
	}
	return c.url("https", c.webL)
}

// DeviceURL is where devices enrol and fetch, as it stands in join lines.
func (c *Controller) DeviceURL() string { return c.url("https", c.deviceL) }

// MQTTAddr is the broker's host:port, without host when it listens on all.
func (c *Controller) MQTTAddr() string {
	host, port, err := net.SplitHostPort(c.brokerAddr())
	if err != nil {
		return ""
	}
	if ip := net.ParseIP(host); ip == nil || ip.IsUnspecified() {
		host = ""
	}
	return net.JoinHostPort(host, port)
}

// brokerAddr is where the controller itself connects.
func (c *Controller) brokerAddr() string {
	if c.broker == nil {
		return c.o.Config.Devices.Broker
	}
	return c.broker.Addr()
}

// authorize says whom a verified certificate belongs to. A device that was
// replaced may still deliver; a revoked one belongs to nobody.
func (c *Controller) authorize(cert *x509.Certificate) (broker.Identity, bool) {
	if c.Trust.IsController(cert) {
		return broker.Identity{Controller: true}, true
	}
	id, ok := c.Trust.DeviceOf(cert)
	if !ok {
		return broker.Identity{}, false
	}
	d, err := c.Store.Device(context.Background(), id)
	if err != nil || d.State == fleet.DeviceRevoked {
		return broker.Identity{}, false
	}
	return broker.Identity{Device: id, Deliver: d.State == fleet.DeviceRetired}, true
}

// AddClip reads an upload and keeps it as a draft, which sounds nowhere before
// it is signed off: see Store.DecideClip. clip says what it is: its words, By,
// its Source and, in a new version of another clip, First. A refusal is a
// *fleet.Error with the reason; nothing is kept then but a recording that is too
// long, which stays to be cut: the error's Topic names it.
func (c *Controller) AddClip(ctx context.Context, file string, r io.Reader, clip fleet.Clip) (fleet.Clip, []media.Warning, error) {
	up, err := c.media.Ingest(ctx, file, r, media.Options{MaxDuration: c.o.Config.Sound.MaxClip, KeepLong: true})
	if err != nil {
		return fleet.Clip{}, nil, c.kept(ctx, err, clip.By)
	}
	if clip.Title == "" {
		clip.Title = file
	}
	clip, err = c.keep(ctx, up, clip)
	return clip, up.Warnings, err
}

// keep adds what was prepared to the library, as a draft.
func (c *Controller) keep(ctx context.Context, up *media.Prepared, clip fleet.Clip) (fleet.Clip, error) {
	clip.SHA256, clip.Original = up.SHA256, up.OriginalSHA256
	clip.Bytes, clip.Rate, clip.Frames = up.Bytes, up.Rate, int64(up.Frames)
	clip.LUFS, clip.TruePeak, clip.GainDB = up.LUFS, up.TruePeak, up.GainDB
	clip.Peaks, clip.Uploaded = up.PeakBytes(), time.Now()
	id, err := c.Store.AddClip(ctx, clip)
	if err != nil {
		return fleet.Clip{}, err
	}
	c.publish(fleet.Event{Kind: fleet.EventClip})
	return c.Store.Clip(ctx, id)
}

// JoinCode makes a code with which one device can enrol for a point within a
// day, and returns the line to paste.
func (c *Controller) JoinCode(ctx context.Context, point fleet.PointID, by string) (line string, err error) {
	code, hash := trust.NewJoinCode()
	now := time.Now()
	if err := c.Store.AddJoinCode(ctx, fleet.JoinCode{Hash: hash, Point: point, Issued: now, Expires: now.Add(24 * time.Hour), By: by}); err != nil {
		return "", fmt.Errorf("storing join code: %w", err)
	}
	return trust.JoinLine(c.DeviceURL(), code, c.Trust.RootHash()), nil
}

type officeMedia struct{ c *Controller }

func (m officeMedia) Ingest(ctx context.Context, file string, r io.Reader, info web.ClipInfo, by string) (fleet.Clip, []web.Note, error) {
	clip, warnings, err := m.c.AddClip(ctx, file, r, fleet.Clip{
		Name: info.Name, Title: info.Title, ScamType: info.ScamType, Audience: info.Audience, Text: info.Text, By: by,
		ValidFrom: info.ValidFrom, ValidUntil: info.ValidUntil, Spoken: info.Spoken, Source: info.Source, First: info.First,
	})
	notes := make([]web.Note, 0, len(warnings))
	for _, w := range warnings {
		notes = append(notes, web.Note{Text: w.Say(media.ZH), TextEN: w.Say(media.EN)})
	}
	return clip, notes, err
}

func (m officeMedia) Open(sha256 string) (io.ReadSeekCloser, error) { return m.c.media.Open(sha256) }

type officePoints struct{ c *Controller }

func (p officePoints) SetPointNeedSync(ctx context.Context, id fleet.PointID, on bool) error {
	if err := p.c.Store.SetPointNeedSync(ctx, id, on); err != nil {
		return err
	}
	p.c.Planner.Poke()
	return nil
}

// officeEvidence is what pages show and export of the journals.
type officeEvidence struct{ c *Controller }

func (e officeEvidence) Breaks(ctx context.Context, id fleet.PointID, limit int) ([]fleet.Break, error) {
	return e.c.Store.Breaks(ctx, id, limit)
}

func (e officeEvidence) NewestReceipt(ctx context.Context, d fleet.Device) (fleet.Receipt, error) {
	return e.c.Store.NewestReceipt(ctx, d.ID)
}

func (e officeEvidence) CheckExport(ctx context.Context, q web.ExportQuery) error {
	return e.c.exports.Check(ctx, dossier.Query(q))
}

func (e officeEvidence) Export(ctx context.Context, w io.Writer, q web.ExportQuery) error {
	return e.c.exports.Zip(ctx, w, dossier.Query(q))
}

type officeTrust struct{ c *Controller }

func (t officeTrust) NewJoinCode() (code, hash string) { return trust.NewJoinCode() }

func (t officeTrust) HashCode(code string) (string, error) {
	normal, err := trust.NormalizeCode(code)
	if err != nil {
		return "", err
	}
	return trust.HashCode(normal), nil
}

func (t officeTrust) JoinLine(code string) string {
	return trust.JoinLine(t.c.DeviceURL(), code, t.c.Trust.RootHash())
}

type officePlanner struct{ c *Controller }

func (p officePlanner) Upload(ctx context.Context, file string, yaml []byte, by string, now time.Time) (fleet.Programme, []web.Problem, error) {
	prog, problems, err := p.c.Planner.Upload(ctx, file, yaml, by, now)
	return prog, webProblems(problems), err
}

func (p officePlanner) Preview(ctx context.Context, file string, yaml []byte, points []fleet.PointID, from schedules.Date, days int, now time.Time) (map[fleet.PointID][]schedules.Slot, []web.Problem, error) {
	slots, problems, err := p.c.Planner.Preview(ctx, file, yaml, points, from, days, now)
	return slots, webProblems(problems), err
}

func (p officePlanner) WhatIf(ctx context.Context, id fleet.ProgrammeID, now time.Time) (web.Change, error) {
	ch, err := p.c.Planner.WhatIf(ctx, id, now)
	return webChange(ch), err
}

func (p officePlanner) Activate(ctx context.Context, id fleet.ProgrammeID, now time.Time) (web.Change, error) {
	ch, err := p.c.Planner.Activate(ctx, id, now)
	return webChange(ch), err
}

func (p officePlanner) Calendar(ctx context.Context) (*schedules.Calendar, error) {
	return p.c.Planner.Calendar(ctx)
}

func (p officePlanner) Entries(ctx context.Context) ([]fleet.CalendarEntry, error) {
	return p.c.Planner.Entries(ctx)
}

func (p officePlanner) EntryEffect(ctx context.Context, e fleet.CalendarEntry, now time.Time) (*web.Effect, []web.Problem, error) {
	eff, problems, err := p.c.Planner.EntryEffect(ctx, e, now)
	return (*web.Effect)(eff), webProblems(problems), err
}

func (p officePlanner) SaveEntry(ctx context.Context, e fleet.CalendarEntry, now time.Time) (fleet.CalendarEntry, []web.Problem, error) {
	saved, problems, err := p.c.Planner.SaveEntry(ctx, e, now)
	return saved, webProblems(problems), err
}

func (p officePlanner) EndEntry(ctx context.Context, id fleet.EntryID, by, reason string, now time.Time) error {
	return p.c.Planner.EndEntry(ctx, id, by, reason, now)
}

func (p officePlanner) HolidayTables(ctx context.Context) ([]fleet.HolidayTable, error) {
	return p.c.Planner.HolidayTables(ctx)
}

func (p officePlanner) HolidayEffect(ctx context.Context, t schedules.HolidayTable, now time.Time) (*web.Effect, error) {
	eff, err := p.c.Planner.HolidayEffect(ctx, t, now)
	return (*web.Effect)(eff), err
}

func (p officePlanner) ImportHolidays(ctx context.Context, t schedules.HolidayTable, source, by string, now time.Time) error {
	return p.c.Planner.ImportHolidays(ctx, t, source, by, now)
}

func (p officePlanner) PointSlots(ctx context.Context, pt fleet.Point, from schedules.Date, days int, now time.Time) ([]schedules.Slot, error) {
	return p.c.Planner.PointSlots(ctx, pt, from, days, now)
}

func (p officePlanner) ProgrammeEffect(ctx context.Context, file string, yaml []byte, now time.Time) (*web.Effect, []web.Problem, error) {
	eff, problems, err := p.c.Planner.ProgrammeEffect(ctx, file, yaml, now)
	return (*web.Effect)(eff), webProblems(problems), err
}

func webProblems(problems []planner.Problem) []web.Problem {
	list := make([]web.Problem, 0, len(problems))
	for _, pr := range problems {
		list = append(list, web.Problem(pr))
	}
	return list
}

func webChange(ch planner.Change) web.Change {
	return web.Change{
		Points: ch.Points, Devices: ch.Devices, Slots: ch.Slots, Silenced: ch.Silenced,
		Added: ch.Added, Removed: ch.Removed, Kept: ch.Kept, Altered: ch.Altered, From: ch.From, To: ch.To,
	}
}

// Kick closes a device's connection after the registry changed. A broker of the
// office's own cannot be told; what the device says is not believed there.
func (c *Controller) Kick(id wire.DeviceID) {
	if c.broker != nil {
		c.broker.Kick(id)
	}
}

// officePlans opens what devices should have.
type officePlans struct{ c *Controller }

func (p officePlans) PlanOf(ctx context.Context, id wire.DeviceID) (wire.Plan, error) {
	doc, err := p.c.Store.LatestDoc(ctx, id, wire.DocPlan)
	if err != nil {
		return wire.Plan{}, err
	}
	return seal.Peek[wire.Plan](doc.Bytes)
}
