package fleet

import "testing"

func FuzzParseHundredths(f *testing.F) {
	for _, text := range []string{"0.5", " 12 ", "1.", ".5", "-1", "1.005", "1000", "1000.01", "99999999999999999999", "半", "1.半"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		h, err := ParseHundredths(text)
		if err != nil {
			if CodeOf(err) != Invalid {
				t.Fatalf("%q is refused as %v", text, err)
			}
			return
		}
		if h < 0 || h > maxHundredths {
			t.Fatalf("%q is %d", text, h)
		}
		if again, err := ParseHundredths(h.String()); err != nil || again != h {
			t.Fatalf("%q is %d, printed %q, read %d: %v", text, h, h, again, err)
		}
	})
}

func TestParseHundredthsIsExact(t *testing.T) {
	for text, want := range map[string]Hundredths{"0.5": 50, "0.05": 5, "12": 1200, "1.": 100, "1000": 100_000} {
		if h, err := ParseHundredths(text); err != nil || h != want {
			t.Errorf("ParseHundredths(%q) = %d, %v, want %d", text, h, err, want)
		}
	}
	for _, text := range []string{"", ".5", "-1", "1.005", "1000.01", "半分"} {
		if h, err := ParseHundredths(text); err == nil {
			t.Errorf("ParseHundredths(%q) = %d", text, h)
		}
	}
}
