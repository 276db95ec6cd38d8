package web

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/seal"
	"gatecast/internal/wire"
)

// TestSlotShowsWhatStandsBehindIt follows one slot to its records, their place
// in the journal, the plan that was in force, the counter-signature, the change
// of its verdict and the office's own outage.
func TestSlotShowsWhatStandsBehindIt(t *testing.T) {
	w := newWorld(t)
	ctx, p := t.Context(), w.points["谷雨里南门"]
	if err := w.store.BeginOutage(ctx, fleet.OutageBroker, testNow.Add(-10*time.Minute)); err != nil {
		t.Fatal(err)
	}
	device, err := w.store.DeviceOfPoint(ctx, p.ID)
	if err != nil {
		t.Fatal(err)
	}
	const id = wire.SlotID("2026-11-23.default.evening")
	records, err := w.store.RecordsOfSlot(ctx, p.ID, id)
	if err != nil || len(records) < 2 {
		t.Fatalf("%d records, %v", len(records), err)
	}
	const log = wire.LogID("00112233445566cc")
	body, err := json.Marshal(wire.PlanTaken{Version: 217, SHA256: strings.Repeat("ab", 32)})
	if err != nil {
		t.Fatal(err)
	}
	taken, err := json.Marshal(wire.Record{Log: log, Seq: 1, Kind: wire.RecordPlan, AtUS: wire.US(testNow.Add(-30 * time.Hour)), Level: wire.T2, Body: body})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.store.AppendRecords(ctx, device.ID, log, []json.RawMessage{taken}, testNow); err != nil {
		t.Fatal(err)
	}
	c := w.as(t, "inspector")
	d := c.page(slotPath(p.ID, id))
	d.has("[data-live=live-slot] dd", "版本 217，设备 11-22 12:12 收下（日志第 1 条） 播放记录写的计划版本：218")
	d.has("[data-live=live-slot] dd", "已签收 0/6 条")
	d.has("#outages li", "主控消息服务中断 11月23日 星期一 18:02 起，仍未恢复")

	upto := records[0].Seq
	for _, r := range records {
		upto = max(upto, r.Seq)
	}
	doc := wire.Receipt{Header: wire.Header{Device: device.ID, Version: 1}, Log: records[0].Log, Upto: upto, Hash: strings.Repeat("a", 64), Count: int64(upto), Day: "2026-11-23"}
	envelope, err := w.trust.SealReceipt(&doc)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.store.AddReceipt(ctx, fleet.Receipt{Receipt: doc, SHA256: seal.Hash(envelope), Envelope: envelope}); err != nil {
		t.Fatal(err)
	}
	o, err := w.store.Obligation(ctx, p.ID, id)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []fleet.Verdict{fleet.Doubt, fleet.Played} {
		st := fleet.Settlement{Point: o.Point, Day: o.Day, Slot: o.Slot, Verdict: v, PlaysOK: o.Plays}
		if v == fleet.Doubt {
			st.Reason = wire.ReasonSilent
		}
		if _, err := w.store.Settle(ctx, []fleet.Settlement{st}, testNow); err != nil {
			t.Fatal(err)
		}
	}
	d = c.page(slotPath(p.ID, id))
	d.has("[data-live=live-slot] dd", "条记录都已签收")
	d.has("[data-live=live-evidence] tbody tr", "回执第 1 号（2026-11-23）")
	d.has("#corrections tbody tr", "11-23 18:12 存疑 6 功放无声 已播 6")
	if en := c.page(slotPath(p.ID, id) + "?lang=en").text("main"); !strings.Contains(en, "Plan in force then") || !strings.Contains(en, "countersigned") {
		t.Error("the English page lacks what stands behind the slot")
	}
}
