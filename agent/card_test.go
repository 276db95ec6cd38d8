package agent

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"gatecast/agent/condition"
	"gatecast/internal/officetest"
	"gatecast/internal/simulate/disk"
	"gatecast/internal/wire"
)

// detailOf returns the detail of a condition of the newest state.
func detailOf(k officetest.Device, code condition.Code) (string, bool) {
	if len(k.States) == 0 {
		return "", false
	}
	for _, c := range k.States[len(k.States)-1].Conditions {
		if c.Code == string(code) {
			return c.Detail, true
		}
	}
	return "", false
}

// TestAgentOnABadCardTellsTheOffice runs the whole agent on a simulated card
// through power cuts, with one fault after the other: it starts each time, is
// the same device, delivers every record, and the office reads what is wrong.
func TestAgentOnABadCardTellsTheOffice(t *testing.T) {
	t.Parallel()
	o := officetest.New(t)
	o.StartBroker("")
	opt := newOptions(t, o)
	opt.DataDir = "/data"
	d := disk.New(rand.New(rand.NewPCG(1, 10)))
	faults := []struct {
		name string
		harm func(d *disk.Disk) error
		code condition.Code
		want string
	}{
		{"none", func(*disk.Disk) error { return nil }, "", ""},
		{"identity_damaged", func(d *disk.Disk) error { return d.Rot("/data/identity/identity.json") }, condition.CardFailing, "identity.json"},
		{"key_unreadable", func(d *disk.Disk) error { return d.Spoil("/data/identity/key.pem") }, condition.CardFailing, "key.pem"},
		{"roots_damaged", func(d *disk.Disk) error { return d.Rot("/data/identity/root.json") }, condition.CardFailing, "root.json"},
		{"plan_unreadable", func(d *disk.Disk) error { return d.Spoil("/data/plan/accepted") }, condition.CardFailing, "accepted"},
		{"sync_refused", func(d *disk.Disk) error { d.FailSync(1); return nil }, condition.CardFailing, "journal"},
	}
	var device wire.DeviceID
	for i, f := range faults {
		if err := f.harm(d); err != nil {
			t.Fatal(err)
		}
		opt.FS = d
		if err := Enrol(t.Context(), opt); err != nil {
			t.Fatalf("%s: %v", f.name, err)
		}
		a, err := New(opt)
		if err != nil {
			t.Fatalf("%s: %v", f.name, err)
		}
		if err := a.Start(); err != nil {
			t.Fatal(err)
		}
		if device == "" {
			device = a.Device()
			o.Await(device, 10*time.Second, "hello", func(k officetest.Device) bool { return len(k.Hellos) > 0 })
			clip := clipOf(t, o, time.Second)
			p, m := planOf(device, 1, time.Now().Add(24*time.Hour), 1, clip)
			o.Send(o.Offer(p, m, true))
		}
		k := o.Await(device, 20*time.Second, f.name, func(k officetest.Device) bool {
			detail, ok := detailOf(k, f.code)
			s := k.States[max(0, len(k.States)-1)]
			return len(k.Hellos) > i && (f.code == "" || ok && strings.Contains(detail, f.want)) &&
				s.Online && s.PlanVersion == 1 && len(s.ClipsReady) == 1 && s.AckedSeq == s.LastSeq
		})
		if _, ok := detailOf(k, condition.JournalDamaged); ok {
			t.Errorf("%s: records are called lost", f.name)
		}
		d.PowerCut()
		next := d.Boot()
		// What a dead disk leaves of an orderly stop is not looked at.
		if err := a.Stop(context.Background()); err != nil && !errors.Is(err, disk.ErrPower) {
			t.Errorf("%s: stopping: %v", f.name, err)
		}
		d = next
	}
	for log, records := range o.Know(device).Records {
		last := wire.Seq(0)
		for seq := range records {
			last = max(last, seq)
		}
		if wire.Seq(len(records)) != last {
			t.Errorf("log %s: %d of %d records arrived", log, len(records), last)
		}
	}
	if n := len(o.Know(device).Records); n != 2 {
		t.Errorf("%d logs, want one and the one after the refused sync", n)
	}
}
