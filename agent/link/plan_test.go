package link

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"gatecast/agent/condition"
	"gatecast/internal/seal"
	"gatecast/internal/wire"
)

func hashOf(data []byte) string { return seal.Hash(data) }

func fieldsOf(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r != '_' && (r < 'A' || r > 'z') })
}

// offerOf makes an inline offer. The fake store reads plain documents.
func offerOf(t *testing.T, version uint64, start time.Time, clips ...string) wire.PlanOffer {
	t.Helper()
	p := wire.Plan{Header: wire.Header{Type: wire.DocPlan, Version: version}, Point: "SF-01", Clips: clips}
	if !start.IsZero() {
		p.Slots = []wire.PlanSlot{{ID: "s", StartS: start.Unix()}}
	}
	m := wire.Manifest{Header: wire.Header{Type: wire.DocManifest, Version: version}}
	for _, c := range clips {
		m.Clips = append(m.Clips, wire.ManifestClip{SHA256: c, Title: "title of " + c})
	}
	plan, _ := json.Marshal(p)
	manifest, _ := json.Marshal(m)
	return wire.PlanOffer{
		Version: version, PlanDoc: plan, ManDoc: manifest,
		Plan: wire.DocRef{SHA256: hashOf(plan)}, Manifest: wire.DocRef{SHA256: hashOf(manifest)},
	}
}

func (w *world) kinds(kind wire.RecordKind) []wire.PlanTaken {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []wire.PlanTaken
	for _, raw := range w.recs {
		var r wire.Record
		var b wire.PlanTaken
		_ = json.Unmarshal(raw, &r)
		if r.Kind == kind && json.Unmarshal(r.Body, &b) == nil {
			out = append(out, b)
		}
	}
	return out
}

func TestOfferIsTakenOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		_, conns, stop := start(t, w, nil, nil)
		defer stop()
		p := conns()[0]
		offer := offerOf(t, 7, time.Time{}, "aa")
		for range 5 {
			p.send(t, wire.KindPlan, offer)
		}
		if len(w.accepted) != 1 || w.syncs != 1 || w.told != 2 {
			t.Errorf("five equal offers: accepted %d, synced %d, told %d; want 1, 1, 2", len(w.accepted), w.syncs, w.told)
		}
		if got := w.kinds(wire.RecordPlan); len(got) != 1 || got[0] != (wire.PlanTaken{Version: 7, SHA256: offer.Plan.SHA256}) {
			t.Errorf("records %+v", got)
		}
	})
}

func TestRefusedOfferIsRecordedOnceAndKeepsTheOldPlan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		_, conns, stop := start(t, w, nil, nil)
		defer stop()
		p := conns()[0]
		p.send(t, wire.KindPlan, offerOf(t, 7, time.Time{}))
		w.mu.Lock()
		w.refuse = errors.New("no valid signature by a trusted key")
		w.mu.Unlock()
		bad := offerOf(t, 8, time.Time{})
		for range 5 {
			p.send(t, wire.KindPlan, bad)
		}
		got := w.kinds(wire.RecordPlan)
		if len(got) != 2 || got[1].Refused != "no valid signature by a trusted key" || got[1].Version != 8 {
			t.Errorf("records %+v", got)
		}
		if w.plan.Version != 7 || w.faults[condition.PlanRefused] == "" {
			t.Errorf("plan %d in force, faults %v", w.plan.Version, w.faults)
		}
		w.mu.Lock()
		w.refuse = nil
		w.mu.Unlock()
		p.send(t, wire.KindPlan, offerOf(t, 9, time.Time{}))
		if _, ok := w.faults[condition.PlanRefused]; ok || w.plan.Version != 9 {
			t.Errorf("after a good plan %d: faults %v", w.plan.Version, w.faults)
		}
	})
}

func TestPlanIsStoredOnceTheDiskHasRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		_, conns, stop := start(t, w, nil, nil)
		defer stop()
		p := conns()[0]
		p.send(t, wire.KindPlan, offerOf(t, 7, time.Time{}))
		w.mu.Lock()
		w.refuse = fmt.Errorf("storing plan: %w", &fs.PathError{Op: "write", Path: "accepted", Err: syscall.ENOSPC})
		w.mu.Unlock()
		p.send(t, wire.KindPlan, offerOf(t, 8, time.Time{}))
		time.Sleep(20 * time.Minute)
		synctest.Wait()
		if _, full := w.fault(condition.DiskFull); !full || w.plan.Version != 7 {
			t.Errorf("full disk: plan %d in force, faults %v", w.plan.Version, w.faults)
		}
		w.mu.Lock()
		w.refuse = nil
		w.mu.Unlock()
		time.Sleep(roomAgain)
		synctest.Wait()
		if w.plan.Version != 8 || len(w.faults) != 0 {
			t.Errorf("with room again: plan %d in force, faults %v", w.plan.Version, w.faults)
		}
		if got := w.kinds(wire.RecordPlan); len(got) != 2 || got[1].Version != 8 || got[1].Refused != "" {
			t.Errorf("records %+v, want two plans taken and none refused", got)
		}
	})
}

func TestClipsAreFetchedUntilTheyAreThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		var at []time.Time
		w.sync = func(_ context.Context, n int) error {
			at = append(at, time.Now())
			switch n {
			case 1:
				return &BusyError{After: time.Minute}
			case 2:
				return syscall.ENOSPC
			case 3, 4:
				return errors.New("connection reset")
			}
			return nil
		}
		_, conns, stop := start(t, w, nil, nil)
		defer stop()
		conns()[0].send(t, wire.KindPlan, offerOf(t, 7, time.Time{}, "aa"))
		time.Sleep(2 * time.Minute)
		if _, full := w.fault(condition.DiskFull); full {
			t.Error("disk still counts as full after another error")
		}
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if len(at) != 5 {
			t.Fatalf("%d tries, want 5", len(at))
		}
		if d := at[1].Sub(at[0]); d < time.Minute || d > 90*time.Second {
			t.Errorf("busy for a minute, tried again after %s", d)
		}
		if len(w.faults) != 0 {
			t.Errorf("faults stay: %v", w.faults)
		}
	})
}

func TestNewerOfferInterruptsFetching(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.sync = func(ctx context.Context, n int) error {
			if n == 1 {
				<-ctx.Done()
				return ctx.Err()
			}
			return nil
		}
		_, conns, stop := start(t, w, nil, nil)
		defer stop()
		p := conns()[0]
		p.send(t, wire.KindPlan, offerOf(t, 7, time.Time{}, "aa"))
		p.send(t, wire.KindPlan, offerOf(t, 8, time.Time{}, "bb"))
		time.Sleep(time.Second)
		synctest.Wait()
		if w.plan.Version != 8 || w.syncs != 2 || len(w.missing) != 0 {
			t.Errorf("plan %d, %d syncs, missing %v", w.plan.Version, w.syncs, w.missing)
		}
	})
}

func TestClipsOfTheRunBeforeAreFetchedWithoutAnOffer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.plan, w.manifest, w.missing = &wire.Plan{Clips: []string{"aa"}}, &wire.Manifest{}, []string{"aa"}
		_, _, stop := start(t, w, nil, func(int) error { return errors.New("broker is down") })
		defer stop()
		if w.syncs != 1 || len(w.missing) != 0 {
			t.Errorf("%d syncs, missing %v", w.syncs, w.missing)
		}
	})
}

func TestFetchingIsSpreadButNeverLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := keeper{l: &Link{o: Options{Device: testDevice, FetchJitter: time.Hour}}}
		now := time.Now()
		for _, in := range []time.Duration{20 * time.Second, time.Minute, 10 * time.Minute, 100 * time.Hour} {
			p := &wire.Plan{Point: "SF-01", Slots: []wire.PlanSlot{{StartS: now.Add(-time.Hour).Unix()}, {StartS: now.Add(in).Unix()}}}
			if d := k.spread(p, now); d > in/10 || d > time.Hour || d < 0 {
				t.Errorf("slot in %s: fetching waits %s", in, d)
			}
		}
	})
}

func TestDocumentsAreFetchedByHash(t *testing.T) {
	o, l := newOffice(t)
	offer := offerOf(t, 7, time.Time{}, "aa")
	o.Put(offer.PlanDoc)
	o.Put(offer.ManDoc)
	want := [2]string{string(offer.PlanDoc), string(offer.ManDoc)}
	tests := map[string]func(*wire.PlanOffer){
		"both":                func(f *wire.PlanOffer) { f.PlanDoc, f.ManDoc = nil, nil },
		"manifest":            func(f *wire.PlanOffer) { f.ManDoc = nil },
		"inline_was_tampered": func(f *wire.PlanOffer) { f.PlanDoc = json.RawMessage(`{"version":666}`) },
	}
	for name, strip := range tests {
		t.Run(name, func(t *testing.T) {
			k, f := keeper{l: l}, offer
			strip(&f)
			plan, manifest, err := k.documents(t.Context(), f)
			if err != nil || [2]string{string(plan), string(manifest)} != want {
				t.Errorf("documents = %q, %q, %v", plan, manifest, err)
			}
		})
	}
	t.Run("served_wrong", func(t *testing.T) {
		o.Before(func(w http.ResponseWriter, _ *http.Request) bool {
			_, _ = w.Write([]byte("something else"))
			return true
		})
		f := offer
		f.PlanDoc = nil
		k := keeper{l: l}
		if _, _, err := k.documents(t.Context(), f); err == nil {
			t.Error("a document with another hash was taken")
		}
	})
	if reqs := o.Requests(); slices.ContainsFunc(reqs, func(r string) bool { return strings.Contains(r, "..") }) {
		t.Errorf("requests %q", reqs)
	}
}
