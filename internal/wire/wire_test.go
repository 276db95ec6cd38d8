package wire

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestTopicsRoundTrip(t *testing.T) {
	for _, d := range []DeviceID{"d0123456789abcdef01234567", "a", "gate-7_b"} {
		for _, kind := range []Kind{KindHello, KindState, KindRecords, KindResult} {
			gotD, gotK, err := ParseUp(Up(d, kind))
			if err != nil || gotD != d || gotK != kind {
				t.Errorf("ParseUp(%q) = %q, %q, %v", Up(d, kind), gotD, gotK, err)
			}
		}
		for _, kind := range []Kind{KindPlan, KindCommand, KindAck, KindTime} {
			gotD, gotK, err := ParseDown(Down(d, kind))
			if err != nil || gotD != d || gotK != kind {
				t.Errorf("ParseDown(%q) = %q, %q, %v", Down(d, kind), gotD, gotK, err)
			}
		}
	}
}

func TestParseUpRefuses(t *testing.T) {
	good := Up("gate7", KindHello)
	tests := map[string]string{
		"empty":          "",
		"down_topic":     Down("gate7", KindPlan),
		"unknown_kind":   good[:len(good)-5] + "other",
		"wrong_shard":    "gatecast/v1/up/64/gate7/hello",
		"upper_case":     "gatecast/v1/up/00/Gate7/hello",
		"extra_level":    good + "/x",
		"wildcard":       "gatecast/v1/up/+/+/+",
		"another_prefix": "gatecast/v2" + good[len("gatecast/v1"):],
	}
	for name, topic := range tests {
		t.Run(name, func(t *testing.T) {
			if d, k, err := ParseUp(topic); err == nil {
				t.Errorf("ParseUp(%q) = %q, %q, want an error", topic, d, k)
			}
		})
	}
}

func TestPlaysExpand(t *testing.T) {
	p := Plan{Clips: []string{"aa", "bb"}}
	s := PlanSlot{ID: "2026-11-23.gates.morning", StartS: 1000, EndS: 2000, EveryS: 300, Count: 3, Playlist: []int{1, 0}, GraceS: 30, GainDB: -3}
	got, err := p.Plays(s)
	if err != nil {
		t.Fatal(err)
	}
	want := []Play{
		{ID: "2026-11-23.gates.morning#1", Slot: s.ID, At: time.Unix(1000, 0).UTC(), Clip: "bb", Grace: 30 * time.Second, GainDB: -3},
		{ID: "2026-11-23.gates.morning#2", Slot: s.ID, At: time.Unix(1300, 0).UTC(), Clip: "aa", Grace: 30 * time.Second, GainDB: -3},
		{ID: "2026-11-23.gates.morning#3", Slot: s.ID, At: time.Unix(1600, 0).UTC(), Clip: "bb", Grace: 30 * time.Second, GainDB: -3},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Plays (-want +got):\n%s", diff)
	}
	s.Playlist = []int{2}
	if _, err := p.Plays(s); err == nil {
		t.Error("Plays with a clip outside the plan succeeded")
	}
}

func TestDecodeRefusesOversize(t *testing.T) {
	big, _ := json.Marshal(Result{Text: string(make([]byte, MaxMessage))})
	if _, err := Decode[Result](big); err == nil {
		t.Errorf("Decode of %d bytes succeeded", len(big))
	}
}

// TestGoldenPayloads holds the messages of every protocol version readable.
func TestGoldenPayloads(t *testing.T) {
	at := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	golden := map[string]any{
		"hello": Hello{Protocol: 1, Session: 3, Nonce: "00112233445566778899aabbccddeeff", Agent: "0.1.0", BootID: "b", State: State{Session: 3, Online: true, Log: "0011223344556677", LastSeq: 9, AckedSeq: 8, Time: TimeState{Level: T1, ErrMS: 20}, Output: Output{Sink: "file", Demo: true}}},
		"ack":   Ack{Log: "0011223344556677", Upto: 9, Missing: []SeqRange{{First: 4, Last: 5}}},
		"offer": PlanOffer{Version: 7, Plan: DocRef{SHA256: "aa", Size: 10}, Manifest: DocRef{SHA256: "bb", Size: 11}},
		"record": Record{Log: "0011223344556677", Seq: 2, Prev: "cc", Kind: RecordIntent, AtUS: US(at), MonoUS: 5, BootID: "b", Level: T2,
			Body: json.RawMessage(`{"play":"2026-11-23.gates.morning#1","slot":"2026-11-23.gates.morning","plan":7,"clip":"aa","planned_us":1}`)},
		"plan": Plan{Header: Header{Type: DocPlan, Device: "gate7", Version: 7, IssuedUS: US(at)}, Point: "SF-01", Zone: "Asia/Shanghai", Clips: []string{"aa"}, Slots: []PlanSlot{{ID: "2026-11-23.gates.morning", Name: "早", StartS: 1, EndS: 2, EveryS: 3, Count: 1, Playlist: []int{0}}}},
	}
	head := Header{Type: DocReceipt, Device: "gate7", Version: 3, IssuedUS: US(at)}
	golden["plan_urgent"] = Plan{Header: Header{Type: DocPlan, Device: "gate7", Version: 8, IssuedUS: US(at)}, Point: "SF-01", Zone: "Asia/Shanghai", Clips: []string{"aa"},
		Slots: []PlanSlot{{ID: "2026-11-23.insertion-7.now", Name: "紧急插播", StartS: 1, EndS: 3600, EveryS: 23, Count: 3, Playlist: []int{0}, GraceS: 3599, Urgent: true}}}
	golden["plan_volume"] = Plan{Header: Header{Type: DocPlan, Device: "gate7", Version: 9, IssuedUS: US(at)}, Point: "SF-01", Zone: "Asia/Shanghai", Clips: []string{}, Slots: []PlanSlot{}, MaxVolumePct: 45}
	golden["mute"] = Mute{Header: Header{Type: DocMute, Device: "gate7", Version: 1795455594038404, IssuedUS: US(at)}, On: true, SinceUS: US(at), UntilUS: US(at) + 5}
	golden["state_mute"] = State{Session: 3, Online: true, Time: TimeState{Level: T1}, Output: Output{Sink: "alsa"}, Mute: MuteState{Number: 7, On: true, AtUS: US(at)}}
	golden["receipt"] = Receipt{Header: head, Log: "0011223344556677", Upto: 9, Hash: "cc", Count: 8, Day: "2026-11-22", Prev: "dd"}
	golden["ack_receipt"] = Ack{Log: "0011223344556677", Upto: 9, Receipt: json.RawMessage(`{"payload":"e30="}`)}
	golden["state_receipt"] = State{Session: 3, Online: true, Log: "0011223344556677", LastSeq: 9, AckedSeq: 8, Receipt: 3, Time: TimeState{Level: T1}, Output: Output{Sink: "alsa"}}
	for kind, body := range map[RecordKind]any{
		RecordCheckpoint: Checkpoint{After: &LogEnd{Log: "8899aabbccddeeff", Seq: 7, Hash: "ee"}, Key: "a2V5", Sig: "c2ln"},
		RecordReceipt:    ReceiptKept{Number: 3, Envelope: json.RawMessage(`{"payload":"e30="}`)},
		RecordDrop:       Drop{Log: "8899aabbccddeeff", Last: 7},
		RecordIncident:   Incident{What: IncidentRollback, Detail: "plan 3 after 7", Count: 2, FirstUS: US(at), LastUS: US(at) + 5},
	} {
		b, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		golden["record_"+string(kind)] = Record{Log: "0011223344556677", Seq: 10, Prev: "cc", Kind: kind, AtUS: US(at), MonoUS: 5, BootID: "b", Level: T2, Body: b}
	}
	for name, v := range golden {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join("testdata", "v1", name+".json")
			got, err := json.MarshalIndent(v, "", " ")
			if err != nil {
				t.Fatal(err)
			}
			want, err := os.ReadFile(path)
			if os.Getenv("UPDATE_GOLDEN") != "" {
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, append(got, '\n'), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(got)+"\n"); diff != "" {
				t.Errorf("%s (-golden +now):\n%s", path, diff)
			}
		})
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"log":"x","records":[{"seq":1}]}`))
	f.Add([]byte(`{"protocol":1,"state":{"time":{}}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		_, _ = Decode[Hello](data)
		_, _ = Decode[Ack](data)
		_, _ = Decode[PlanOffer](data)
		if b, err := Decode[Batch](data); err == nil {
			for _, r := range b.Records {
				_, _ = Decode[Record](r)
			}
		}
		if p, err := Decode[Plan](data); err == nil {
			for _, s := range p.Slots {
				_, _ = p.Plays(s)
			}
		}
	})
}

func FuzzParseUp(f *testing.F) {
	f.Add(Up("gate7", KindHello))
	f.Fuzz(func(t *testing.T, topic string) {
		d, k, err := ParseUp(topic)
		if err == nil && Up(d, k) != topic {
			t.Errorf("ParseUp(%q) accepted what Up(%q, %q) does not write", topic, d, k)
		}
	})
}
