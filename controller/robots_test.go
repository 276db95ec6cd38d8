package controller

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"gatecast/controller/fleet"
	"gatecast/controller/relay"
	"gatecast/controller/robot"
	"gatecast/internal/robottest"
)

// eventually waits until ok, at most 15 seconds.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for range 750 {
		if ok() {
			return
		}
		<-tick.C
	}
	t.Fatalf("waited in vain until %s", what)
}

// TestTheOfficeTellsItsRobots goes from what happens in a running office to
// what arrives at a chat and at a program, and has both hang in between: the
// office does not notice, and stops in time.
func TestTheOfficeTellsItsRobots(t *testing.T) {
	server := robottest.New(time.Now)
	defer server.Close()
	o := testOptions(t, t.TempDir())
	o.Config.Robots.Hosts = []string{server.Host()}
	c := start(t, o)
	eventually(t, "the start is told", func() bool {
		_, last, err := c.Store.OccurrenceBounds(t.Context())
		return err == nil && last > 0
	})
	chat, _, err := c.robots.Add(t.Context(), robot.Draft{Name: "值班群", Platform: fleet.DingTalk, URL: server.DingTalk(), Secret: robottest.DingTalkSecret, Feeds: fleet.Feeds}, "admin")
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.robots.Add(t.Context(), robot.Draft{Name: "大屏", Platform: fleet.Webhook, URL: server.Webhook(), Secret: "whsec", Feeds: fleet.Feeds}, "admin"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.robots.Test(t.Context(), chat, "张工"); err != nil {
		t.Fatal(err)
	}
	c.Report(fleet.Incident{Kind: fleet.IncidentStranger, From: "192.0.2.7"})
	eventually(t, "test message and incident arrive", func() bool { return len(server.Taken()) >= 2 })
	for _, m := range server.Taken() {
		switch m.Platform {
		case "dingtalk":
			if !strings.Contains(m.Text, "这是门播发出的测试，由张工于") {
				t.Errorf("the chat reads %q", m.Text)
			}
		case "webhook":
			var v struct{ Events []json.RawMessage }
			if err := json.Unmarshal(m.Body, &v); err != nil || len(v.Events) == 0 || !strings.Contains(string(m.Body), `"code":"stranger"`) {
				t.Errorf("the program gets %s, %v", m.Body, err)
			}
		}
	}
	c.overdue(relay.Digest{Rows: []relay.Late{
		{Item: fleet.RelayItem{ID: 4, Text: "警惕冒充客服退款"}, Task: fleet.RelayTask{Tier: 2}}, {Item: fleet.RelayItem{ID: 4, Text: "警惕冒充客服退款"}, Task: fleet.RelayTask{Tier: 3}},
	}})
	eventually(t, "the overdue relay arrives", func() bool {
		all := server.Taken()
		last := string(all[len(all)-1].Body)
		return strings.Contains(last, `"relay_overdue"`) && strings.Contains(last, `"tasks":"2"`) && strings.Contains(last, "警惕冒充客服退款")
	})
	before := server.Calls()
	release := server.Hang()
	defer release()
	if _, err := c.robots.Test(t.Context(), chat, "张工"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a request hangs", func() bool { return server.Calls() > before })
	begun := time.Now()
	for range 1000 {
		c.settled(fleet.Obligation{Point: 1, Slot: "x", Verdict: fleet.Missed, Settled: begun})
		c.publish(fleet.Event{Kind: fleet.EventDevice, Point: 1})
	}
	if err := c.Planner.Finish(t.Context(), begun); err != nil {
		t.Error(err)
	}
	if err := c.ledger.Pass(t.Context()); err != nil {
		t.Error(err)
	}
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("planner and ledger took %s while a robot hung", took)
	}
}
