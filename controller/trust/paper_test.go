package trust

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"gatecast/internal/seal"
)

func TestPaperComesBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k, err := seal.KeyFromSeed(rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "seed"))
		if err != nil {
			t.Fatal(err)
		}
		words := PaperWords(k)
		for _, text := range []string{
			strings.Join(words, " "), PaperText(words), strings.ToLower(strings.Join(words, "-")),
			"1. " + words[0] + "\n2. " + strings.Join(words[1:], "  \n"), strings.ReplaceAll(strings.Join(words, "\n"), "0", "O"),
		} {
			got, err := ParsePaper(text)
			if err != nil || !bytes.Equal(got.Seed(), k.Seed()) {
				t.Fatalf("%q: %v", text, err)
			}
		}
	})
}

func TestPaperNamesTheWrongWord(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k, err := seal.KeyFromSeed(rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "seed"))
		if err != nil {
			t.Fatal(err)
		}
		words := PaperWords(k)
		n := rapid.IntRange(0, len(words)-1).Draw(t, "word")
		w := []byte(words[n])
		i, c := rapid.IntRange(0, len(w)-1).Draw(t, "place"), alphabet[rapid.IntRange(0, 31).Draw(t, "character")]
		switch rapid.IntRange(0, 2).Draw(t, "mistake") {
		case 0:
			w[i] = c
		case 1:
			w[i], w[(i+1)%len(w)] = w[(i+1)%len(w)], w[i]
		case 2: // another word of the paper in its place
			w = []byte(words[(n+1)%len(words)])
		}
		if string(w) == words[n] {
			return
		}
		words[n] = string(w)
		_, err = ParsePaper(strings.Join(words, " "))
		var bad *PaperError
		if !errors.As(err, &bad) || bad.Word != n+1 || bad.Text != string(w) {
			t.Fatalf("word %d as %q: %v", n+1, w, err)
		}
	})
}

func TestPaperRefuses(t *testing.T) {
	k, err := seal.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	words := PaperWords(k)
	other, err := seal.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	mixed := append(append([]string{}, words[:7]...), PaperWords(other)[7:]...)
	tests := map[string]struct {
		text string
		word int
	}{
		"empty":     {"", 0},
		"one_short": {strings.Join(words[:13], " "), 0},
		"one_more":  {strings.Join(words, " ") + " " + words[0], 15},
		"two_keys":  {strings.Join(mixed, " "), 0},
		"umlaut":    {"ÄBCDE", 1},
		"long_word": {words[0] + "A", 1},
		"endless":   {strings.Repeat(words[0]+" ", 5000), 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := ParsePaper(tt.text)
			var bad *PaperError
			if !errors.As(err, &bad) || bad.Word != tt.word {
				t.Errorf("ParsePaper = %v, want word %d", err, tt.word)
			}
		})
	}
}

func FuzzParsePaper(f *testing.F) {
	k, err := seal.KeyFromSeed(make([]byte, 32))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(PaperText(PaperWords(k)))
	f.Add("1. 00000 2) OOOOO，lllll")
	f.Fuzz(func(t *testing.T, text string) {
		k, err := ParsePaper(text)
		if err != nil {
			return
		}
		if again, err := ParsePaper(strings.Join(PaperWords(k), " ")); err != nil || !bytes.Equal(again.Seed(), k.Seed()) {
			t.Errorf("%q is a key whose words are not: %v", text, err)
		}
	})
}
