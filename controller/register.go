package controller

import (
	"context"
	"fmt"
	"time"

	"gatecast/controller/fleet"
)

// carryOutUnitChanges makes the moves, mergers and splits hold whose day has
// come; now is in the office's zone.
func (c *Controller) carryOutUnitChanges(ctx context.Context, now time.Time) error {
	done, err := c.Store.CarryOutUnitChanges(ctx, fleet.Day(now.Format(time.DateOnly)), now)
	if err != nil {
		return fmt.Errorf("carrying out changes of units: %w", err)
	}
	for _, u := range done {
		c.logger.Info("change of units carried out", "change", u.ID, "kind", u.Kind, "day", u.Day)
	}
	return nil
}

// officeRegister is the registry for the pages: what they change there changes
// who owes what, so that plans are made anew.
type officeRegister struct{ c *Controller }

func (o officeRegister) ApplyRegistry(ctx context.Context, changes []fleet.RegistryChange, opt fleet.RegistryOptions) (fleet.RegistryOutcome, error) {
	out, err := o.c.Store.ApplyRegistry(ctx, changes, opt)
	if out.Applied {
		o.c.Planner.Poke()
	}
	return out, err
}

func (o officeRegister) UnitChanges(ctx context.Context) ([]fleet.UnitChange, error) {
	return o.c.Store.UnitChanges(ctx)
}

func (o officeRegister) AddUnitChange(ctx context.Context, u fleet.UnitChange, today fleet.Day) (fleet.UnitChangeID, error) {
	id, err := o.c.Store.AddUnitChange(ctx, u, today)
	return id, o.planned(err)
}

func (o officeRegister) CancelUnitChange(ctx context.Context, id fleet.UnitChangeID, now time.Time) error {
	return o.c.Store.CancelUnitChange(ctx, id, now)
}

func (o officeRegister) RenameCompany(ctx context.Context, from, to string) error {
	return o.c.Store.RenameCompany(ctx, from, to)
}

func (o officeRegister) SetPointStart(ctx context.Context, id fleet.PointID, start time.Time) error {
	return o.planned(o.c.Store.SetPointStart(ctx, id, start))
}

func (o officeRegister) RetirePoint(ctx context.Context, id fleet.PointID, at time.Time) error {
	return o.planned(o.c.Store.RetirePoint(ctx, id, at))
}

func (o officeRegister) AddCalibration(ctx context.Context, cal fleet.Calibration, photo []byte) (fleet.CalibrationID, error) {
	return o.c.Store.AddCalibration(ctx, cal, photo)
}

func (o officeRegister) Calibrations(ctx context.Context, id fleet.PointID) ([]fleet.Calibration, error) {
	return o.c.Store.Calibrations(ctx, id)
}

func (o officeRegister) CalibrationPhoto(ctx context.Context, p fleet.PointID, id fleet.PhotoID) ([]byte, error) {
	return o.c.Store.CalibrationPhoto(ctx, p, id)
}

// planned asks for fresh plans when something was changed.
func (o officeRegister) planned(err error) error {
	if err == nil {
		o.c.Planner.Poke()
	}
	return err
}
