package durable

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestCheckedFileFindsEveryFlippedBit(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.json")
	v := On(nil)
	if err := v.WriteChecked(path, []byte(`{"floor_us":1790000000000000}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := v.ReadChecked(path); err != nil || string(got) != `{"floor_us":1790000000000000}` {
		t.Fatalf("ReadChecked = %q, %v", got, err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 8 * len(whole) {
		whole[i/8] ^= 1 << (i % 8)
		if err := os.WriteFile(path, whole, 0o600); err != nil {
			t.Fatal(err)
		}
		whole[i/8] ^= 1 << (i % 8)
		got, err := v.ReadChecked(path)
		var s struct{}
		if err == nil && json.Unmarshal(got, &s) == nil {
			t.Fatalf("bit %d flipped: ReadChecked = %q, which is JSON", i, got)
		}
		if err != nil && !errors.Is(err, ErrDamaged) {
			t.Fatalf("bit %d flipped: %v, want ErrDamaged", i, err)
		}
	}
}

func TestCheckedFileOfAnEarlierVersionIsRead(t *testing.T) {
	for _, want := range []string{"", "{}", "17\n", `{"a":"longer than any line of a checksum would be"}`} {
		path := filepath.Join(t.TempDir(), "state.json")
		if err := os.WriteFile(path, []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := On(nil).ReadChecked(path); err != nil || string(got) != want {
			t.Errorf("ReadChecked = %q, %v, want %q", got, err, want)
		}
	}
}

func FuzzReadChecked(f *testing.F) {
	f.Add([]byte("{}\n#crc32c 00000000\n"))
	f.Add([]byte("17\n"))
	path := filepath.Join(f.TempDir(), "state")
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := On(nil).ReadChecked(path)
		if err == nil && string(got) != string(data) && string(data) != string(got)+string(checkLine(got)) {
			t.Errorf("ReadChecked(%q) = %q", data, got)
		}
	})
}
