package robot

import (
	"context"
	"fmt"
	"time"

	"gatecast/controller/fleet"
)

// Add takes a robot on and returns it, with the secret of a webhook that had
// none given: it is told this once. A refusal is a *fleet.Error.
func (d *Desk) Add(ctx context.Context, v Draft, by string) (robot fleet.Robot, secret string, err error) {
	robot, target, err := d.check(v)
	if err != nil {
		return robot, "", err
	}
	robot.Created, robot.CreatedBy = d.o.Now(), by
	if robot.ID, err = d.o.Store.AddRobot(ctx, robot, target); err != nil {
		return robot, "", err
	}
	if v.Platform == fleet.Webhook && v.Secret == "" {
		secret = target.Secret
	}
	d.Poke()
	return robot, secret, nil
}

// Test puts a message for a robot into the outbox that says what it is.
func (d *Desk) Test(ctx context.Context, r fleet.Robot, by string) (fleet.LetterID, error) {
	now := d.o.Now()
	l := fleet.Letter{
		Robot: r.ID, Kind: fleet.LetterTest, Created: now, Title: d.o.Say("robot.test.title", d.o.Office),
		Body: d.o.Say("robot.test.text", by, now.In(d.o.Zone).Format("2006-01-02 15:04")),
	}
	if r.Platform == fleet.Webhook {
		e, err := events(r, []fleet.Occurrence{{At: now, Kind: "test", Object: d.o.Office}}, now)
		if err != nil {
			return 0, err
		}
		l.Body = e.Body
	}
	id, err := d.o.Store.AddLetter(ctx, l)
	d.Poke()
	return id, err
}

// Pause stops sending to a robot, Resume goes on, with what happens from then
// on and what waited.
func (d *Desk) Pause(ctx context.Context, id fleet.RobotID) error {
	return d.o.Store.PauseRobot(ctx, id, d.o.Now())
}

// Resume is described at Pause.
func (d *Desk) Resume(ctx context.Context, id fleet.RobotID) error {
	defer d.Poke()
	return d.o.Store.PauseRobot(ctx, id, time.Time{})
}

// Remove forgets a robot, its secret and its messages.
func (d *Desk) Remove(ctx context.Context, id fleet.RobotID) error {
	if err := d.o.Store.RemoveRobot(ctx, id); err != nil {
		return fmt.Errorf("removing robot %d: %w", id, err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.later, id)
	return nil
}

// Resend has a message that was given up tried again and returns it.
func (d *Desk) Resend(ctx context.Context, id fleet.LetterID) (fleet.Letter, error) {
	defer d.Poke()
	return d.o.Store.ResendLetter(ctx, id, d.o.Now())
}

// Drop forgets a message that was given up and returns it.
func (d *Desk) Drop(ctx context.Context, id fleet.LetterID) (fleet.Letter, error) {
	return d.o.Store.DropLetter(ctx, id)
}
