package main

import "testing"

// A day of 100 records has a checkpoint for the new day and one for every 64
// records; what they and the receipt add to the card is a few pages.
func TestSigningADayCostsFewPages(t *testing.T) {
	kib, checkpoints, err := vouchKiB(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if checkpoints != 2 {
		t.Errorf("%d checkpoints a day, want 2", checkpoints)
	}
	if kib < 0 || kib > 64 {
		t.Errorf("signing writes %.0f KiB a day, want at most 16 pages", kib)
	}
}
