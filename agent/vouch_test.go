package agent

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"gatecast/agent/journal"
	"gatecast/internal/evidence"
	"gatecast/internal/officetest"
	"gatecast/internal/seal"
	"gatecast/internal/wire"
)

// TestReceiptsAreKeptOnceAndCompared sends a true receipt twice, one by a
// stranger, and one about records that the device does not have.
func TestReceiptsAreKeptOnceAndCompared(t *testing.T) {
	t.Parallel()
	o := officetest.New(t)
	o.StartBroker("")
	opt := newOptions(t, o)
	a := startTestAgent(t, opt)
	d := a.Device()
	k := o.Await(d, 10*time.Second, "first records", func(k officetest.Device) bool {
		return len(k.Hellos) > 0 && len(k.Records[k.Hellos[0].State.Log]) >= 2
	})
	log := k.Hellos[0].State.Log
	raw, _, err := a.journal.Record(log, 2)
	if err != nil || raw == nil {
		t.Fatalf("Record = %s, %v", raw, err)
	}
	send := func(r wire.Receipt, key seal.Key) []byte {
		r.Header = wire.Header{Type: wire.DocReceipt, Device: d, Version: r.Version}
		r.Log, r.Count, r.Day = log, int64(r.Upto), "2026-11-22"
		envelope := o.Seal(r, key)
		ack, err := json.Marshal(wire.Ack{Log: log, Upto: a.journal.Acked(), Receipt: envelope})
		if err != nil {
			t.Fatal(err)
		}
		o.Send(officetest.Outgoing{Device: d, Kind: wire.KindAck, Data: ack})
		return envelope
	}
	kept := func(k officetest.Device) (all []wire.ReceiptKept) {
		for _, r := range k.Records[log] {
			if r.Kind == wire.RecordReceipt {
				all = append(all, unmarshal[wire.ReceiptKept](r.Body))
			}
		}
		slices.SortFunc(all, func(a, b wire.ReceiptKept) int { return int(a.Number) - int(b.Number) })
		return all
	}
	stranger, err := seal.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	send(wire.Receipt{Header: wire.Header{Version: 1}, Upto: 2, Hash: evidence.Hash(raw)}, stranger)
	good := wire.Receipt{Header: wire.Header{Version: 1}, Upto: 2, Hash: evidence.Hash(raw)}
	first := send(good, o.Director)
	send(good, o.Director)
	send(wire.Receipt{Header: wire.Header{Version: 2}, Upto: 1, Hash: strings.Repeat("0", 64), Prev: seal.Hash(first)}, o.Director)
	k = o.Await(d, 10*time.Second, "two receipts kept and reported", func(k officetest.Device) bool {
		return len(kept(k)) >= 2 && k.States[len(k.States)-1].Receipt == 2
	})
	all := kept(k)
	if len(all) != 2 || string(all[0].Envelope) != string(first) || all[0].Refused != "" || !strings.Contains(all[1].Refused, "record 1 has hash") {
		t.Errorf("kept %+v", all)
	}
	o.Await(d, 10*time.Second, "the condition", func(k officetest.Device) bool {
		return slices.ContainsFunc(k.States[len(k.States)-1].Conditions, func(c wire.Condition) bool { return c.Code == "records_disputed" })
	})
	if err := a.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	// What lies on the card now verifies, except that one receipt is disputed.
	f, err := journal.OpenFolder(DirsOf(opt.DataDir).Journal)
	if err != nil {
		t.Fatal(err)
	}
	r, err := evidence.Verify(f, evidence.Options{Director: []seal.PublicKey{o.Director.Public()}})
	if err != nil {
		t.Fatal(err)
	}
	l := r.Logs[0]
	if len(r.Faults) != 1 || !slices.Contains([]evidence.Code{evidence.Disputed, evidence.Receipt}, r.Faults[0].Code) || l.Device != d {
		t.Errorf("Verify = %+v", r)
	}
}
