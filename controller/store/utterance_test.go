package store

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"gatecast/controller/fleet"
	"gatecast/controller/speech"
)

func TestUtteranceOfAClipStays(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store) {
		id, err := s.AddClip(t.Context(), fleet.Clip{SHA256: "aa", Name: "hecheng", Title: "合成", Rate: 24000, Frames: 24000, Uploaded: t0, By: "clerk"})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Utterance(t.Context(), id); fleet.CodeOf(err) != fleet.NotFound {
			t.Errorf("Utterance of an upload: %v, want NotFound", err)
		}
		want := fleet.Utterance{Clip: id, Origin: fleet.Synthetic, Spoken: "去银行[yin2 hang2]", Voice: "espeak-ng", At: t0, By: "clerk"}
		again := want
		again.By = "other"
		for _, u := range []fleet.Utterance{want, again} {
			if err := s.AddUtterance(t.Context(), u); err != nil {
				t.Fatal(err)
			}
		}
		got, err := s.Utterance(t.Context(), id)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("Utterance: %v (-want +got):\n%s", err, diff)
		}
	})
}

// The texts that ship can be read as they are, and changed.
func TestUrgentTextsAreShippedAndChanged(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store) {
		shipped, err := s.UrgentTexts(t.Context())
		if err != nil || len(shipped) != 5 {
			t.Fatalf("UrgentTexts = %d, %v, want 5 that ship", len(shipped), err)
		}
		for _, x := range shipped {
			if found := speech.Check(x.Spoken); len(found) > 0 || !x.Example {
				t.Errorf("%s: %+v, an example: %v", x.Title, found, x.Example)
			}
		}
		mine := shipped[0]
		mine.Title, mine.Spoken, mine.At, mine.By = "自来水", "各位居民请注意。", t0, "clerk"
		if id, err := s.SaveUrgentText(t.Context(), mine); err != nil || id != mine.ID {
			t.Errorf("SaveUrgentText = %d, %v, want %d", id, err, mine.ID)
		}
		if _, err := s.SaveUrgentText(t.Context(), fleet.UrgentText{Title: "自来水", Spoken: "好。"}); fleet.CodeOf(err) != fleet.Conflict {
			t.Errorf("a title twice: %v, want Conflict", err)
		}
		if _, err := s.SaveUrgentText(t.Context(), fleet.UrgentText{ID: 99, Title: "没有", Spoken: "好。"}); fleet.CodeOf(err) != fleet.NotFound {
			t.Errorf("changing nothing: %v, want NotFound", err)
		}
		if err := s.DropUrgentText(t.Context(), shipped[1].ID); err != nil {
			t.Error(err)
		}
		if err := s.DropUrgentText(t.Context(), shipped[1].ID); fleet.CodeOf(err) != fleet.NotFound {
			t.Errorf("dropping it twice: %v, want NotFound", err)
		}
		all, err := s.UrgentTexts(t.Context())
		if err != nil || len(all) != 4 {
			t.Fatalf("UrgentTexts = %d, %v, want 4", len(all), err)
		}
		mine.Example = false
		for _, x := range all {
			if x.ID == mine.ID {
				if diff := cmp.Diff(mine, x); diff != "" {
					t.Errorf("changed (-want +got):\n%s", diff)
				}
			}
		}
	})
}
