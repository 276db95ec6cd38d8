package controller

import (
	"bytes"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"gatecast/audio/clips"
	"gatecast/controller/fleet"
	"gatecast/controller/insertion"
	"gatecast/controller/media"
	"gatecast/controller/sample"
	"gatecast/controller/store"
)

// TestDevicesGetApprovedBytesOnly walks a clip through its states and asks for
// its bytes in each, as a device would.
func TestDevicesGetApprovedBytesOnly(t *testing.T) {
	dir := t.TempDir()
	db, err := store.Open(t.Context(), filepath.Join(dir, "gatecast.db"), store.Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	files, err := media.New(filepath.Join(dir, "media"))
	if err != nil {
		t.Fatal(err)
	}
	good, _ := clips.ByName("kefu")
	up, err := files.Ingest(t.Context(), "kefu.mp3", bytes.NewReader(good.Data()), media.Options{})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	id, err := db.AddClip(t.Context(), fleet.Clip{SHA256: up.SHA256, Original: up.OriginalSHA256, Name: "kefu", Title: "kefu", Uploaded: now, By: "someone"})
	if err != nil {
		t.Fatal(err)
	}
	urgent, err := insertion.Open(t.Context(), insertion.Options{Book: db, Library: db, Zone: time.UTC})
	if err != nil {
		t.Fatal(err)
	}
	shop := approvedClips{&Controller{Store: db, media: files, urgent: urgent}}
	for _, tt := range []struct {
		step fleet.ClipStep
		by   fleet.User
		open bool
	}{
		{"", fleet.User{}, false},
		{fleet.StepSubmit, sample.Clerk, false},
		{fleet.StepReturn, sample.Approver, false},
		{fleet.StepSubmit, sample.Clerk, false},
		{fleet.StepApprove, sample.Approver, true},
		{fleet.StepEdit, sample.Clerk, true},
		{fleet.StepRecall, sample.Approver, false},
		{fleet.StepSubmit, sample.Clerk, false},
		{fleet.StepApprove, sample.Approver, true},
	} {
		if tt.step != "" {
			c, err := db.Clip(t.Context(), id)
			if err != nil {
				t.Fatal(err)
			}
			d := fleet.ClipDecision{Step: tt.step, By: tt.by, At: now, Revision: c.Revision, Reason: "理由", Terms: fleet.ClipTerms{Title: "客服"}}
			if _, err := db.DecideClip(t.Context(), id, d); err != nil {
				t.Fatalf("%s: %v", tt.step, err)
			}
		}
		f, err := shop.Open(up.SHA256)
		if err == nil {
			f.Close()
		}
		if (err == nil) != tt.open || err != nil && fleet.CodeOf(err) != fleet.NotFound {
			t.Errorf("after %q: %v, want bytes: %v", tt.step, err, tt.open)
		}
	}
	if _, err := shop.Open("nonsense"); fleet.CodeOf(err) != fleet.NotFound {
		t.Errorf("nonsense: %v", err)
	}
}
