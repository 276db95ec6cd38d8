package simulate

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"gatecast/controller/config"
	"gatecast/controller/fleet"
	"gatecast/controller/trust"
	"gatecast/internal/wire"
)

// furnish fills an empty office: places, clips, and a programme in force.
func (o *office) furnish(ctx context.Context) error {
	c := o.present()
	reg := fleet.Registry{Units: []fleet.UnitEntry{
		{Unit: fleet.Unit{Type: fleet.Subdistrict, Code: "SL", Name: "示例街道", ShortName: "示例"}},
		{Unit: fleet.Unit{Type: fleet.Community, Code: "SL-01", Name: "松风社区", ShortName: "松风"}, Parent: "SL"},
	}, Compounds: []fleet.CompoundEntry{{Compound: fleet.Compound{Name: "松风苑"}, Unit: "SL-01"}}}
	for i := range o.w.o.Devices {
		reg.Points = append(reg.Points, fleet.PointEntry{
			Point: fleet.Point{Code: pointCode(i), Name: fmt.Sprintf("松风苑%d号门", i+1), Kind: fleet.Gate}, Unit: "SL-01", Compound: "松风苑",
		})
	}
	if err := c.store.ImportRegistry(ctx, reg); err != nil {
		return fmt.Errorf("filling the registry: %w", err)
	}
	if err := o.w.sounds.upload(ctx, o.media, c.store, func() fleet.Clip {
		return fleet.Clip{Uploaded: time.Now(), By: "sim"}
	}); err != nil {
		return err
	}
	points, err := c.store.Points(ctx, fleet.PointFilter{})
	if err != nil {
		return err
	}
	for i := range o.w.o.Devices {
		for _, p := range points {
			if p.Code == pointCode(i) {
				o.w.points = append(o.w.points, p.ID)
			}
		}
	}
	return nil
}

func pointCode(i int) string { return fmt.Sprintf("SL-01-%02d", i+1) }

// activate uploads a programme and puts it in force.
func (o *office) activate(ctx context.Context, yaml string) error {
	c := o.present()
	if c == nil {
		return nil
	}
	p, problems, err := c.planner.Upload(ctx, "sim.yaml", []byte(yaml), "sim", time.Now())
	if err != nil {
		return fmt.Errorf("uploading a programme: %w", err)
	}
	if p.ID == 0 {
		return fmt.Errorf("uploading a programme: %+v", problems)
	}
	if _, err := c.planner.Activate(ctx, p.ID, time.Now()); err != nil {
		return fmt.Errorf("activating a programme: %w", err)
	}
	o.w.trace.event("office", "programme version %d activated", p.Version)
	return nil
}

// joinLine makes a join code for a point and the line to paste. The code is
// of the seed.
func (o *office) joinLine(ctx context.Context, p fleet.PointID, r *rand.Rand) (string, error) {
	c := o.present()
	const letters = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
	code := make([]byte, 10)
	for i := range code {
		code[i] = letters[r.IntN(len(letters))]
	}
	now := time.Now()
	err := c.store.AddJoinCode(ctx, fleet.JoinCode{
		Hash: trust.HashCode(string(code)), Point: p, Issued: now, Expires: now.Add(24 * time.Hour), By: "sim",
	})
	return trust.JoinLine(officeURL, trust.ShowCode(string(code)), o.trust.RootHash()), err
}

// drawCeilings returns what the library role allows: hours that fit closely
// around the slots, so that a clock which is wrong is heard, and sometimes
// less gain and volume than clips and devices would take.
func drawCeilings(r *rand.Rand) (wire.Ceilings, error) {
	c := config.Defaults()
	c.Sound.Hours = []string{"07:20-09:40", "11:05-12:05", "17:55-19:00"}
	c.Sound.MaxGainDB = []float64{24, 3, 0}[r.IntN(3)]
	c.Sound.MaxVolumePct = []int{80, 50}[r.IntN(2)]
	return c.Ceilings()
}

// sealer signs for the planner. A kill that waits for the moment between the
// obligations of a change and its plans happens here.
type sealer struct {
	o *office
	c *controller
}

// SealPlan implements planner.Sealer.
func (s sealer) SealPlan(p *wire.Plan) ([]byte, error) {
	s.o.w.atSeal(s.c)
	return s.o.trust.SealPlan(p)
}

// SealManifest implements planner.Sealer.
func (s sealer) SealManifest(m *wire.Manifest) ([]byte, error) { return s.o.trust.SealManifest(m) }

// InForce implements planner.Sealer.
func (s sealer) InForce(t wire.DocType, envelope []byte) bool { return s.o.trust.InForce(t, envelope) }

// Strict implements planner.Sealer.
func (s sealer) Strict() bool { return s.o.trust.Strict() }

// OpenManifest implements planner.Sealer.
func (s sealer) OpenManifest(envelope []byte) (wire.Manifest, error) {
	return s.o.trust.OpenManifest(envelope)
}

// programme writes the n-th programme: three slots a day, which move, grow
// quieter or change their clips with n.
func programme(r *rand.Rand, n int) string {
	shift := 0
	gain := 0.0
	if n > 0 {
		shift = r.IntN(20)
		gain = []float64{0, -6, -3, -12}[r.IntN(4)]
	}
	lists := []string{"one, two", "two, three", "three", "one, two, three"}
	var b strings.Builder
	fmt.Fprintf(&b, "id: sim\nname: sim\nzone: Asia/Shanghai\ndaily_budget: 90m\ntargets: {kinds: [gate]}\nslots:\n")
	slot := func(key string, hour, minute int, offDays bool) {
		minute += shift
		start := hour*60 + minute
		fmt.Fprintf(&b, "  - key: %s\n    name: %s\n    start: \"%d %d * * *\"\n    until: \"%02d:%02d\"\n    every: 5m\n    max_plays: 6\n    playlist: [%s]\n    gain_db: %g\n",
			key, key, start%60, start/60, (start+30)/60, (start+30)%60, lists[r.IntN(len(lists))], gain)
		if offDays {
			fmt.Fprintf(&b, "    overrides:\n      - days: [rest_day, holiday]\n        start: \"%d %d * * *\"\n        until: \"%02d:%02d\"\n",
				start%60, start/60+1, (start+30)/60+1, (start+30)%60)
		}
	}
	slot("morning", 7, 30, true)
	slot("noon", 11, 10, false)
	slot("evening", 18, 0, false)
	return b.String()
}
