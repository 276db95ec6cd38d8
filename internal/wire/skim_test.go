package wire

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// recordsOfEachKind are records as journals write them.
func recordsOfEachKind(t testing.TB) [][]byte {
	t.Helper()
	bodies := map[RecordKind]any{
		RecordBoot:    Boot{Agent: "1.0", Clean: true, LastSeen: 7},
		RecordIntent:  Intent{Play: "2026-11-23.gates.morning#1", Slot: "2026-11-23.gates.morning", Plan: 7, Clip: "aa", PlannedUS: 1},
		RecordOutcome: Outcome{Play: "2026-11-23.gates.morning#1", Slot: "2026-11-23.gates.morning", Plan: 7, Result: PlayPlayed, StartedUS: -1, Demo: true, Device: "hw:0", Detail: "功放"},
		RecordPlan:    PlanTaken{Version: 3, SHA256: "bb"},
		RecordClock:   ClockStep{StepUS: -5, To: T1},
		RecordGap:     Gap{Log: "0011", First: 1, Last: 9, Why: "full"},
		RecordStop:    Stop{},

		RecordCheckpoint: Checkpoint{Key: "a2V5", Sig: "c2ln"},
		RecordReceipt:    ReceiptKept{Number: 3, Envelope: json.RawMessage(`{"payload":"e30=","signatures":[{"sig":"x"}]}`)},
		RecordDrop:       Drop{Log: "0011", Last: 9},
		RecordIncident:   Incident{What: IncidentForged, Detail: "plan", Count: 3, FirstUS: 5, LastUS: 9},
	}
	var all [][]byte
	for kind, body := range bodies {
		b, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := json.Marshal(Record{Log: "0011223344556677", Seq: 9, Prev: "cc", Kind: kind, AtUS: 1795428000000000, MonoUS: 5, BootID: "b-1", Level: T2, ErrMS: 3, Body: b})
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, raw)
	}
	return all
}

func TestSkimReadsWhatJournalsWrite(t *testing.T) {
	for _, raw := range recordsOfEachKind(t) {
		h, ok := Skim(raw)
		if !ok {
			t.Errorf("Skim(%s) gave up", raw)
			continue
		}
		checkSkim(t, raw, h)
	}
}

// checkSkim compares h with what the decoder reads.
func checkSkim(t testing.TB, raw []byte, h Head) {
	t.Helper()
	var r Record
	if err := json.Unmarshal(raw, &r); err != nil {
		t.Fatalf("Skim took %q: %v", raw, err)
	}
	want := Head{
		Log: r.Log, Seq: r.Seq, Prev: r.Prev, Kind: r.Kind, AtUS: r.AtUS,
		MonoUS: r.MonoUS, BootID: r.BootID, Level: r.Level, ErrMS: r.ErrMS,
	}
	var err error
	switch r.Kind {
	case RecordIntent:
		var b Intent
		err = json.Unmarshal(r.Body, &b)
		want.Play, want.Slot = b.Play, b.Slot
	case RecordOutcome:
		var b Outcome
		err = json.Unmarshal(r.Body, &b)
		want.Play, want.Slot = b.Play, b.Slot
	case RecordBoot:
		err = json.Unmarshal(r.Body, &Boot{})
	case RecordPlan:
		err = json.Unmarshal(r.Body, &PlanTaken{})
	case RecordClock:
		err = json.Unmarshal(r.Body, &ClockStep{})
	case RecordGap:
		err = json.Unmarshal(r.Body, &Gap{})
	case RecordStop:
		err = json.Unmarshal(r.Body, &Stop{})
	case RecordCheckpoint:
		err = json.Unmarshal(r.Body, &Checkpoint{})
	case RecordReceipt:
		err = json.Unmarshal(r.Body, &ReceiptKept{})
	case RecordDrop:
		err = json.Unmarshal(r.Body, &Drop{})
	case RecordIncident:
		err = json.Unmarshal(r.Body, &Incident{})
	}
	if err != nil {
		t.Errorf("Skim took %q: %v", raw, err)
	}
	if diff := cmp.Diff(want, h); diff != "" {
		t.Errorf("Skim(%q) (-decoder +skim):\n%s", raw, diff)
	}
}

func TestSkimGivesUp(t *testing.T) {
	tests := map[string]string{
		"empty":             ``,
		"text":              `hello`,
		"cut":               `{"log":"00","seq":1,"kind":"stop","body":{}`,
		"more":              `{"log":"00","seq":1,"kind":"stop","body":{}} `,
		"spaces":            `{"log": "00","seq":1,"kind":"stop","body":{}}`,
		"unknown_kind":      `{"log":"00","seq":1,"kind":"other","body":{}}`,
		"unknown_field":     `{"log":"00","seq":1,"kind":"stop","new":1,"body":{}}`,
		"field_twice":       `{"log":"00","seq":1,"seq":2,"kind":"stop","body":{}}`,
		"body_twice":        `{"log":"00","seq":1,"kind":"stop","body":{},"body":{}}`,
		"other_case":        `{"log":"00","Seq":1,"kind":"stop","body":{}}`,
		"escape":            `{"log":"0\u0030","seq":1,"kind":"stop","body":{}}`,
		"control":           "{\"log\":\"0\x01\",\"seq\":1,\"kind\":\"stop\",\"body\":{}}",
		"no_utf8":           "{\"log\":\"0\xff\",\"seq\":1,\"kind\":\"stop\",\"body\":{}}",
		"wrong_type":        `{"log":"00","seq":"1","kind":"stop","body":{}}`,
		"negative_seq":      `{"log":"00","seq":-1,"kind":"stop","body":{}}`,
		"leading_zero":      `{"log":"00","seq":01,"kind":"stop","body":{}}`,
		"fraction":          `{"log":"00","seq":1.5,"kind":"stop","body":{}}`,
		"huge":              `{"log":"00","seq":18446744073709551616,"kind":"stop","body":{}}`,
		"null":              `{"log":null,"seq":1,"kind":"stop","body":{}}`,
		"body_wrong_type":   `{"log":"00","seq":1,"kind":"stop","body":{"why":1}}`,
		"body_unknown":      `{"log":"00","seq":1,"kind":"stop","body":{"slot":"x"}}`,
		"body_field_twice":  `{"log":"00","seq":1,"kind":"intent","body":{"slot":"x","slot":"y"}}`,
		"body_ends_early":   `{"log":"00","seq":1,"kind":"stop","body":{}},"why":"x"}`,
		"envelope_no_json":  `{"log":"00","seq":1,"kind":"receipt","body":{"number":1,"envelope":{]}}}`,
		"log_before":        `{"log":"00","seq":1,"kind":"checkpoint","body":{"after":{"log":"11","seq":1,"hash":""},"key":"","sig":""}}`,
		"body_is_not_there": `{"log":"00","seq":1,"kind":"stop"}`,
	}
	for name, raw := range tests {
		t.Run(name, func(t *testing.T) {
			if h, ok := Skim([]byte(raw)); ok {
				t.Errorf("Skim(%s) = %+v", raw, h)
			}
		})
	}
}

func TestSplitBatch(t *testing.T) {
	b := Batch{Log: "0011223344556677"}
	for _, raw := range recordsOfEachKind(t) {
		b.Records = append(b.Records, raw)
	}
	b.Records = append(b.Records, json.RawMessage(`{"text":"a \"quote\" and a bracket } in a string","list":[{"a":[1,2]}]}`))
	data, err := json.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	got, ok := SplitBatch(data)
	if !ok {
		t.Fatalf("SplitBatch(%s) gave up", data)
	}
	if diff := cmp.Diff(b, got); diff != "" {
		t.Errorf("SplitBatch (-want +got):\n%s", diff)
	}
	for name, data := range map[string]string{
		"empty":         ``,
		"no_records":    `{"log":"00","records":[]}`,
		"other_order":   `{"records":[{}],"log":"00"}`,
		"more_fields":   `{"log":"00","records":[{}],"x":1}`,
		"spaces":        `{"log":"00","records":[{}, {}]}`,
		"cut":           `{"log":"00","records":[{},{"a":"}`,
		"not_an_object": `{"log":"00","records":[1]}`,
		"oversize":      `{"log":"00","records":[{"x":"` + string(make([]byte, MaxMessage)) + `"}]}`,
	} {
		t.Run(name, func(t *testing.T) {
			if got, ok := SplitBatch([]byte(data)); ok {
				t.Errorf("SplitBatch(%s) = %+v", data, got)
			}
		})
	}
}

func FuzzSkim(f *testing.F) {
	for _, raw := range recordsOfEachKind(f) {
		f.Add(raw)
	}
	f.Add([]byte(`{"log":"00","seq":1,"seq":2,"kind":"stop","body":{}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if h, ok := Skim(raw); ok {
			checkSkim(t, raw, h)
		}
	})
}

func FuzzSplitBatch(f *testing.F) {
	f.Add([]byte(`{"log":"00","records":[{"seq":1},{"seq":2,"body":{"a":"}\""}}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		got, ok := SplitBatch(data)
		want, err := Decode[Batch](data)
		if !ok || err != nil {
			return // records that are not JSON are for the journal's parser to refuse
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("SplitBatch(%q) (-decoder +split):\n%s", data, diff)
		}
	})
}

func BenchmarkSkim(b *testing.B) {
	raw := recordsOfEachKind(b)[0]
	b.Run("skim", func(b *testing.B) {
		for b.Loop() {
			Skim(raw)
		}
	})
	b.Run("decoder", func(b *testing.B) {
		for b.Loop() {
			var r Record
			_ = json.Unmarshal(raw, &r) // only its cost counts
			var o Outcome
			_ = json.Unmarshal(r.Body, &o)
		}
	})
}
