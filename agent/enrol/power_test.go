package enrol

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"gatecast/internal/officetest"
	"gatecast/internal/simulate/disk"
)

func newDisk(seed int) *disk.Disk { return disk.New(rand.New(rand.NewPCG(uint64(seed), 5))) }

// TestPowerCutWhileJoining cuts the power at each operation of the disk during
// Join. Afterwards the device is a member or not; the same line makes it one,
// with the key that the office knows, and nothing is called damaged.
func TestPowerCutWhileJoining(t *testing.T) {
	o := officetest.New(t)
	cut := 0
	for at := 1; ; at++ {
		code := fmt.Sprintf("K7QM%04d", at)
		o.AddCode(code)
		req := newRequest(t, o, code)
		d := newDisk(at)
		d.CutAt(at)
		req.Dir, req.FS = "/identity", d
		if _, err := Join(t.Context(), req); err == nil && !d.Dead() {
			break
		} else if err == nil {
			t.Fatalf("cut at %d: Join without power succeeded", at)
		}
		cut++
		used := o.UsedBy(code)
		d = d.Boot()
		if id, err := Load(req.Dir, d); err == nil && (len(id.Mended()) != 0 || id.Device != used) {
			t.Fatalf("cut at %d: identity %q, the office knows %q, mended %v", at, id.Device, used, id.Mended())
		} else if err != nil && !errors.Is(err, ErrNotEnrolled) {
			t.Fatalf("cut at %d: Load = %v", at, err)
		}
		req.FS = d
		id, err := Join(t.Context(), req)
		if err != nil {
			t.Fatalf("cut at %d: Join again: %v", at, err)
		}
		if used != "" && id.Device != used {
			t.Fatalf("cut at %d: Join made %q after the office had registered %q", at, id.Device, used)
		}
	}
	if cut < 30 {
		t.Errorf("%d cuts, expected more operations", cut)
	}
}

// TestPowerCutWhileRenewing leaves the old certificate or the new one.
func TestPowerCutWhileRenewing(t *testing.T) {
	o := officetest.New(t)
	for at, done := 1, false; !done; at++ {
		code := fmt.Sprintf("RNEW%04d", at)
		o.AddCode(code)
		req, d := newRequest(t, o, code), newDisk(at)
		req.Dir, req.FS = "/identity", d
		id, err := Join(t.Context(), req)
		if err != nil {
			t.Fatal(err)
		}
		_, before := id.Validity()
		d.CutAt(at)
		err = id.Renew(t.Context(), o.URL(), nil)
		_, after := id.Validity()
		done = err == nil
		again, lerr := Load(req.Dir, d.Boot())
		if lerr != nil || len(again.Mended()) != 0 {
			t.Fatalf("cut at %d: Load = %v, mended %v", at, lerr, again.Mended())
		}
		if _, now := again.Validity(); done && !now.Equal(after) || !done && now.Before(before) {
			t.Fatalf("cut at %d: certificate until %s, before %s, Renew = %v", at, now, before, err)
		}
	}
}
