// Package mute silences gates: it keeps the orders of silence (全部静音), knows
// at which points they hold, signs what each device has to be told, and says
// which device lacks it.
//
// Who may mute may not always let gates sound again; both are asked of
// fleet.May here and not only by pages. An order is in the store before any
// device hears of it. What is decided is kept in memory, because the link asks
// with every message of every device. A Desk is safe for concurrent use; it
// starts no goroutine.
package mute

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

// Orders keeps the orders of silence.
type Orders interface {
	Mutes(ctx context.Context) ([]fleet.Mute, error)
	AddMute(ctx context.Context, m fleet.Mute) (fleet.Mute, error)
	LiftMute(ctx context.Context, id fleet.MuteID, by, reason string, now time.Time) error
	ApproveMute(ctx context.Context, id fleet.MuteID, by string, now time.Time) error
}

// Places is where points belong.
type Places interface {
	Units(ctx context.Context) ([]fleet.Unit, error)
	Points(ctx context.Context, f fleet.PointFilter) ([]fleet.Point, error)
	Devices(ctx context.Context) ([]fleet.Device, error)
}

// Sealer signs as director.
type Sealer interface {
	SealMute(m *wire.Mute) ([]byte, error)
}

// Options of New. Orders, Places and Sealer are required.
type Options struct {
	Orders Orders
	Places Places
	Sealer Sealer
	Send   func([]wire.DeviceID)                      // has the link tell devices now; must not block; may be nil
	Settle func(ctx context.Context, since time.Time) // has the ledger look again at slots that were silenced since; may be nil
	Event  func(fleet.Event)                          // must not block; may be nil
	Logger *slog.Logger                               // nil discards
}

// Desk is where gates are muted and let sound again.
type Desk struct {
	o       Options
	reading sync.Mutex // held while the store's word is taken over

	mu    sync.RWMutex
	mutes []fleet.Mute // newest first; replaced, never changed
	above map[fleet.PointID][]fleet.UnitID
}

// Open reads the orders that were given before.
func Open(ctx context.Context, o Options) (*Desk, error) {
	if o.Orders == nil || o.Places == nil || o.Sealer == nil {
		return nil, errors.New("mute options: Orders, Places and Sealer are required")
	}
	if o.Send == nil {
		o.Send = func([]wire.DeviceID) {}
	}
	if o.Settle == nil {
		o.Settle = func(context.Context, time.Time) {}
	}
	if o.Event == nil {
		o.Event = func(fleet.Event) {}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	d := &Desk{o: o}
	return d, d.read(ctx)
}

// read takes over what the store says.
func (d *Desk) read(ctx context.Context) error {
	d.reading.Lock()
	defer d.reading.Unlock()
	mutes, err := d.o.Orders.Mutes(ctx)
	if err != nil {
		return err
	}
	above, err := d.places(ctx)
	if err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.mutes, d.above = mutes, above
	return nil
}

// places returns the units above every point.
func (d *Desk) places(ctx context.Context) (map[fleet.PointID][]fleet.UnitID, error) {
	units, err := d.o.Places.Units(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading units: %w", err)
	}
	points, err := d.o.Places.Points(ctx, fleet.PointFilter{})
	if err != nil {
		return nil, fmt.Errorf("reading points: %w", err)
	}
	parent := make(map[fleet.UnitID]fleet.UnitID, len(units))
	for _, u := range units {
		parent[u.ID] = u.Parent
	}
	above := make(map[fleet.PointID][]fleet.UnitID, len(points))
	for _, p := range points {
		var list []fleet.UnitID
		for u := p.Unit; u != 0 && len(list) <= len(units); u = parent[u] {
			list = append(list, u)
		}
		above[p.ID] = list
	}
	return above, nil
}

// maxReason bounds a reason, in characters.
const maxReason = 200

// reasonOf returns the reason as it is kept, or a *fleet.Error.
func reasonOf(text string) (string, error) {
	text = strings.Join(strings.Fields(text), " ")
	if n := utf8.RuneCountInString(text); n < 2 || n > maxReason {
		return "", &fleet.Error{
			Code:   fleet.Invalid,
			Text:   fmt.Sprintf("请写明原因，2 到 %d 个字。", maxReason),
			TextEN: fmt.Sprintf("Say why, in 2 to %d characters.", maxReason),
		}
	}
	return text, nil
}

func forbidden(zh, en string) error {
	return &fleet.Error{Code: fleet.Forbidden, Text: zh, TextEN: en}
}

// Mute silences the gates of a scope, for a reason, until it is lifted or, if
// that is not zero, until a time. The order is durable when Mute returns; every
// connected device is told at once and every other one when it is back. Given
// by somebody who may end silence it counts as approved. Refusals are
// *fleet.Errors.
func (d *Desk) Mute(ctx context.Context, by fleet.User, scope fleet.Area, reason string, until, now time.Time) (fleet.Mute, error) {
	return d.mute(ctx, by, scope, reason, until, now, fleet.May(by.Role, fleet.ActUnmute))
}

// Stop is Mute for which somebody else than by has to stand up, whatever by may
// do: see Approve.
func (d *Desk) Stop(ctx context.Context, by fleet.User, scope fleet.Area, reason string, until, now time.Time) (fleet.Mute, error) {
	return d.mute(ctx, by, scope, reason, until, now, false)
}

func (d *Desk) mute(ctx context.Context, by fleet.User, scope fleet.Area, reason string, until, now time.Time, approved bool) (fleet.Mute, error) {
	if !fleet.May(by.Role, fleet.ActMute) {
		return fleet.Mute{}, forbidden("你的账号没有“全部静音”的权限。", "Your account may not mute.")
	}
	reason, err := reasonOf(reason)
	if err != nil {
		return fleet.Mute{}, err
	}
	switch {
	case scope.Empty():
		return fleet.Mute{}, &fleet.Error{Code: fleet.Invalid, Text: "请选择要静音的范围：全部、单位或点位。", TextEN: "Choose what to mute: everything, units or points."}
	case !until.IsZero() && !until.After(now):
		return fleet.Mute{}, &fleet.Error{Code: fleet.Invalid, Text: "静音的截止时间已经过去，请选一个以后的时间。", TextEN: "The end of the mute has passed already. Choose a later one."}
	}
	m := fleet.Mute{At: now, By: by.Login, Name: by.Name, Reason: reason, Area: scope, Until: until}
	if approved {
		m.Approved, m.ApprovedBy = now, by.Login
	}
	if m, err = d.o.Orders.AddMute(ctx, m); err != nil {
		return m, fmt.Errorf("muting: %w", err)
	}
	d.o.Logger.Warn("muted", "mute", m.ID, "number", m.Number, "by", m.By, "reason", m.Reason)
	return m, d.tell(ctx, m)
}

// Lift ends an order of silence. approve says that its slots count as exempt.
func (d *Desk) Lift(ctx context.Context, by fleet.User, id fleet.MuteID, reason string, approve bool, now time.Time) error {
	if !fleet.May(by.Role, fleet.ActUnmute) {
		return forbidden("只有签发人可以恢复播放。", "Only an approver may let the gates sound again.")
	}
	reason, err := reasonOf(reason)
	if err != nil {
		return err
	}
	m, err := d.find(id)
	if err != nil {
		return err
	}
	if err := d.o.Orders.LiftMute(ctx, id, by.Login, reason, now); err != nil {
		return err
	}
	d.o.Logger.Warn("mute lifted", "mute", id, "by", by.Login, "reason", reason)
	if err := d.tell(ctx, m); err != nil {
		return err
	}
	if approve && m.Approved.IsZero() && m.By != by.Login {
		return d.Approve(ctx, by, id, now)
	}
	return nil
}

// Approve stands up for an order of silence that somebody else gave: the slots
// that it silenced are exempt, those settled before too.
func (d *Desk) Approve(ctx context.Context, by fleet.User, id fleet.MuteID, now time.Time) error {
	if !fleet.May(by.Role, fleet.ActUnmute) {
		return forbidden("只有签发人可以确认停播。", "Only an approver may confirm a mute.")
	}
	m, err := d.find(id)
	if err != nil {
		return err
	}
	if m.By == by.Login {
		return forbidden("这次停播是你自己下的，要由另一位签发人确认。", "You ordered this silence yourself: another approver has to confirm it.")
	}
	if err := d.o.Orders.ApproveMute(ctx, id, by.Login, now); err != nil {
		return err
	}
	if err := d.read(ctx); err != nil {
		return err
	}
	d.o.Settle(ctx, m.At)
	d.o.Event(fleet.Event{Kind: fleet.EventDevice})
	return nil
}

// Release lets the devices that obey an order which this database does not
// have, as after a restore from a backup, sound again. It returns how many
// they are.
func (d *Desk) Release(ctx context.Context, by fleet.User, reason string, now time.Time) (int, error) {
	if !fleet.May(by.Role, fleet.ActUnmute) {
		return 0, forbidden("只有签发人可以恢复播放。", "Only an approver may let the gates sound again.")
	}
	reason, err := reasonOf(reason)
	if err != nil {
		return 0, err
	}
	devices, err := d.o.Places.Devices(ctx)
	if err != nil {
		return 0, err
	}
	var scope fleet.Area
	for _, dev := range devices {
		if dev.State == fleet.DeviceActive && d.Stray(dev) {
			scope.Points = append(scope.Points, dev.Point)
		}
	}
	if len(scope.Points) == 0 {
		return 0, nil
	}
	m, err := d.o.Orders.AddMute(ctx, fleet.Mute{At: now, By: by.Login, Name: by.Name, Reason: reason, Area: scope})
	if err != nil {
		return 0, err
	}
	if err := d.o.Orders.LiftMute(ctx, m.ID, by.Login, reason, now); err != nil {
		return 0, err
	}
	return len(scope.Points), d.tell(ctx, m)
}

// Stray reports whether a device obeys an order that is not ours.
func (d *Desk) Stray(dev fleet.Device) bool {
	return dev.Mute.On && !dev.Mute.Lost && dev.Mute.Number > fleet.SilenceOf(d.of(dev.Point)).Version
}

// tell takes the store's word over and has the devices of m told.
func (d *Desk) tell(ctx context.Context, m fleet.Mute) error {
	if err := d.read(ctx); err != nil {
		return err
	}
	devices, err := d.o.Places.Devices(ctx)
	if err != nil {
		return fmt.Errorf("reading devices: %w", err)
	}
	d.mu.RLock()
	above := d.above
	d.mu.RUnlock()
	var ids []wire.DeviceID
	for _, dev := range devices {
		if dev.State == fleet.DeviceActive && m.Area.Holds(dev.Point, above[dev.Point]) {
			ids = append(ids, dev.ID)
		}
	}
	d.o.Send(ids)
	d.o.Event(fleet.Event{Kind: fleet.EventDevice})
	return nil
}

func (d *Desk) find(id fleet.MuteID) (fleet.Mute, error) {
	for _, m := range d.All() {
		if m.ID == id {
			return m, nil
		}
	}
	return fleet.Mute{}, &fleet.Error{Code: fleet.NotFound, Text: "没有这次静音记录。", TextEN: "There is no such mute."}
}

// All returns every order, the newest first; it must not be changed.
func (d *Desk) All() []fleet.Mute {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.mutes
}

// Active returns the orders that demand silence at now, the newest first.
func (d *Desk) Active(now time.Time) []fleet.Mute {
	var open []fleet.Mute
	for _, m := range d.All() {
		if m.Open(now) {
			open = append(open, m)
		}
	}
	return open
}

// Holds reports whether m holds at a point.
func (d *Desk) Holds(m fleet.Mute, p fleet.PointID) bool { return m.Area.Holds(p, d.aboveOf(p)) }

// aboveOf returns the units above a point; one that came since the last look is
// looked up.
func (d *Desk) aboveOf(p fleet.PointID) []fleet.UnitID {
	d.mu.RLock()
	list, ok := d.above[p]
	d.mu.RUnlock()
	if ok {
		return list
	}
	above, err := d.places(context.Background())
	if err != nil {
		d.o.Logger.Warn("reading where points belong", "err", err)
		return nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.above = above
	return above[p]
}

// of returns the orders that hold or held at a point.
func (d *Desk) of(p fleet.PointID) []fleet.Mute {
	all := d.All()
	if len(all) == 0 {
		return nil
	}
	above := d.aboveOf(p)
	var mine []fleet.Mute
	for _, m := range all {
		if m.Area.Holds(p, above) {
			mine = append(mine, m)
		}
	}
	return mine
}

// MutesOf is of, for the ledger.
func (d *Desk) MutesOf(_ context.Context, p fleet.PointID) ([]fleet.Mute, error) { return d.of(p), nil }

// Lacking returns the signed word that a device should have and has not, nil
// when it lacks none.
func (d *Desk) Lacking(dev fleet.Device) ([]byte, error) {
	w := fleet.SilenceOf(d.of(dev.Point))
	if w.Version == 0 && dev.Mute.Lost {
		w.Version = 1 // it lost a word that was never said, or one of a database that is gone
	}
	if w.Version == 0 || dev.Mute.Number >= w.Version && !dev.Mute.Lost || dev.Mute.Number > w.Version {
		return nil, nil
	}
	w.Device = dev.ID
	return d.o.Sealer.SealMute(&w)
}
