package controller

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"gatecast/controller/chronicle"
	"gatecast/controller/fleet"
	"gatecast/controller/relay"
	"gatecast/controller/robot"
	"gatecast/controller/store"
	"gatecast/controller/web"
)

// openChronicle wires what keeps what happened, and what tells robots of it.
// Nothing waits for either: they are told by signals and read the store.
func (c *Controller) openChronicle() (err error) {
	c.chronicle, err = chronicle.New(chronicle.Options{Book: c.Store, World: c.Store, Logger: c.part("chronicle")})
	if err != nil {
		return err
	}
	c.OnDigest(c.overdue)
	say, err := web.Words("zh") // the chats are read by the office's own people
	if err != nil {
		return err
	}
	zone, err := time.LoadLocation(c.o.Config.Sound.Zone)
	if err != nil {
		return fmt.Errorf("sound.zone: %w", err)
	}
	c.robots, err = robot.New(robot.Options{
		Store: c.Store, Hosts: c.o.Config.Robots.Hosts, Say: say, Office: c.o.Config.Name, Zone: zone, Logger: c.part("robot"),
	})
	return err
}

// overdue tells of each item that is stuck in the relay.
func (c *Controller) overdue(d relay.Digest) {
	tasks := map[fleet.RelayID]int{}
	for _, r := range d.Rows {
		tasks[r.Item.ID]++
	}
	for _, r := range d.Rows {
		if n := tasks[r.Item.ID]; n > 0 {
			c.chronicle.Tell(fleet.Occurrence{
				Kind: fleet.OccurredRelay, Object: relay.Brief(r.Item),
				Data: fleet.Fields("item", strconv.FormatInt(int64(r.Item.ID), 10), "tasks", strconv.Itoa(n), "tier", strconv.Itoa(r.Task.Tier)),
			})
			delete(tasks, r.Item.ID)
		}
	}
}

// settled passes a verdict on; it does not wait for anybody.
func (c *Controller) settled(o fleet.Obligation) {
	c.chronicle.Settled(o)
	c.board.Settled(o)
	if c.o.OnSettled != nil {
		c.o.OnSettled(o)
	}
}

// tellRobots runs the robots, woken by what happens.
func (c *Controller) tellRobots(ctx context.Context) error {
	news, cancel := c.chronicle.Subscribe()
	defer cancel()
	return c.robots.Run(ctx, news)
}

// officeRobots is what the page of robots shows and does.
type officeRobots struct {
	*store.Store
	desk *robot.Desk
}

func (o officeRobots) Add(ctx context.Context, d web.RobotDraft, by string) (fleet.Robot, string, error) {
	return o.desk.Add(ctx, robot.Draft(d), by)
}

func (o officeRobots) Test(ctx context.Context, r fleet.Robot, by string) (fleet.LetterID, error) {
	return o.desk.Test(ctx, r, by)
}

func (o officeRobots) Pause(ctx context.Context, id fleet.RobotID) error {
	return o.desk.Pause(ctx, id)
}

func (o officeRobots) Resume(ctx context.Context, id fleet.RobotID) error {
	return o.desk.Resume(ctx, id)
}

func (o officeRobots) Remove(ctx context.Context, id fleet.RobotID) error {
	return o.desk.Remove(ctx, id)
}

func (o officeRobots) Resend(ctx context.Context, id fleet.LetterID) (fleet.Letter, error) {
	return o.desk.Resend(ctx, id)
}

func (o officeRobots) Drop(ctx context.Context, id fleet.LetterID) (fleet.Letter, error) {
	return o.desk.Drop(ctx, id)
}
