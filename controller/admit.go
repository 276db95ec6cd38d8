package controller

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

// officeAdmission is how people accept devices: by hearing them.
type officeAdmission struct{ c *Controller }

// toneFaults is why a device did not sound its test tone, for people.
var toneFaults = map[string]struct{ zh, en string }{
	wire.ToneBusy:       {"设备正在播放，或马上要播放；播完再试音。", "The device is playing or about to play. Try again when it has ended."},
	wire.ToneNoTime:     {"设备还没有对上时间，不能出声；等半分钟再试音。", "The device does not know the time yet and must not sound. Try again in half a minute."},
	wire.ToneNoCeilings: {"设备还没有收到签过名的音量上限，不能出声；等半分钟再试音。", "The device has not received its signed volume yet and must not sound. Try again in half a minute."},
	wire.ToneHours:      {"这个钟点不许出声，请在允许出声的时间里试音。", "Nothing may sound at this hour. Try again within the hours that allow it."},
	wire.ToneOffice:     {"办公室已让这里静音，不能试音；恢复播放后再试。", "The office has silenced this device. Try again when it may sound."},
	wire.ToneOften:      {"一小时内试音太多次了，过一会儿再试。", "There were too many test tones within an hour. Try again later."},
	wire.ToneMuted:      {"设备的声音输出被静音了；请在盒子上取消静音后再试。", "The output of the device is muted. Unmute it and try again."},
}

// TestTone implements web.Admission. It goes on when the phone that asked for
// it has gone.
func (a officeAdmission) TestTone(ctx context.Context, id wire.DeviceID) error {
	ctx = context.WithoutCancel(ctx)
	r, err := a.c.link.Command(ctx, id, wire.Command{Do: wire.DoTestTone})
	if err != nil {
		return err
	}
	if !r.OK {
		t, ok := toneFaults[r.Text]
		if !ok {
			t.zh = fmt.Sprintf("设备没有放出试音（%s）。请检查盒子的声音输出后再试。", r.Text)
			t.en = fmt.Sprintf("The device could not sound its test tone (%s). Check its output and try again.", r.Text)
		}
		return &fleet.Error{Code: fleet.Conflict, Text: t.zh, TextEN: t.en, Err: errors.New(r.Text)}
	}
	if err := a.c.Store.NoteTone(ctx, id, time.Now()); err != nil {
		return fmt.Errorf("noting a test tone: %w", err)
	}
	a.changed(ctx, id)
	return nil
}

// Accept implements web.Admission.
func (a officeAdmission) Accept(ctx context.Context, id wire.DeviceID, by string) error {
	d, err := a.c.Store.Device(ctx, id)
	if err != nil {
		return err
	}
	if d.Newcomer() && !d.Toned.After(d.Unheard) {
		return &fleet.Error{Code: fleet.Conflict,
			Text:   "还没有试音，或上次试音没有听到。请先按“试音”，在喇叭前听到了再确认。",
			TextEN: "There was no test tone yet, or the last one was not heard. Sound it first, and confirm when you heard it at the loudspeaker."}
	}
	before, err := a.c.Store.DevicesOfPoint(ctx, d.Point)
	if err != nil {
		return err
	}
	if _, err := a.c.Store.AcceptDevice(ctx, id, by, time.Now()); err != nil {
		return err
	}
	a.c.Planner.Poke()
	for _, o := range before {
		if o.ID != id && o.State != fleet.DeviceRetired { // it has other rights now
			a.c.Kick(o.ID)
		}
	}
	a.changed(ctx, id)
	return nil
}

// NotHeard implements web.Admission.
func (a officeAdmission) NotHeard(ctx context.Context, id wire.DeviceID) error {
	if err := a.c.Store.NoteUnheard(ctx, id, time.Now()); err != nil {
		return fmt.Errorf("noting that nothing was heard: %w", err)
	}
	a.changed(ctx, id)
	return nil
}

// Revoke implements web.Admission.
func (a officeAdmission) Revoke(ctx context.Context, id wire.DeviceID) error {
	if err := a.c.Store.RevokeDevice(ctx, id, time.Now()); err != nil {
		return err
	}
	a.c.Kick(id)
	a.c.Planner.Poke()
	a.changed(ctx, id)
	return nil
}

// cloned puts a device whose key two machines use into quarantine: both get a
// plan without slots, and people are told.
func (c *Controller) cloned(id wire.DeviceID, detail string) {
	ctx := context.Background()
	d, err := c.Store.Device(ctx, id)
	if err != nil {
		return
	}
	fresh, err := c.Store.QuarantineClone(ctx, id, time.Now())
	switch {
	case err != nil:
		c.logger.Error("putting a device with a double into quarantine", "device", id, "err", err)
	case fresh:
		c.Planner.Poke()
		fallthrough
	case d.Cloned:
		c.incidents.Report(fleet.Incident{Kind: fleet.IncidentClone, Point: d.Point, Device: id, Detail: detail})
	}
	officeAdmission{c}.changed(ctx, id)
}

func (a officeAdmission) changed(ctx context.Context, id wire.DeviceID) {
	if d, err := a.c.Store.Device(ctx, id); err == nil {
		a.c.publish(fleet.Event{Kind: fleet.EventDevice, Point: d.Point})
	}
}
