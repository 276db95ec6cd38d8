package clips

import (
	"context"
	_ "embed"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"

	"gatecast/audio"
	"gatecast/audio/decode"
	"gatecast/audio/loudness"
	"gatecast/internal/needtool"
)

//go:embed texts.tsv
var texts string

func decodeClip(t testing.TB, c Clip) (*audio.PCM, decode.Info) {
	t.Helper()
	p, info, err := decode.Decode(context.Background(), c.Data(), decode.Limits{})
	if err != nil {
		t.Fatalf("decoding %s: %v", c.Name, err)
	}
	return p, info
}

func TestClipsAreAsStated(t *testing.T) {
	all := All()
	if len(all) < 3 {
		t.Fatalf("%d clips, want at least 3", len(all))
	}
	for _, c := range all {
		t.Run(c.Name, func(t *testing.T) {
			p, info := decodeClip(t, c)
			if info.Kind != decode.KindMP3 || p.Channels != 1 {
				t.Errorf("is %s with %d channels, want mono mp3", info.Kind, p.Channels)
			}
			if len(c.Data()) > 112_000 {
				t.Errorf("%d bytes, want at most 112,000", len(c.Data()))
			}
			if d := info.Duration - c.Duration; d.Abs() > time.Millisecond {
				t.Errorf("lasts %v, the table says %v", info.Duration, c.Duration)
			}
			if got := loudness.Measure(p); math.Abs(got.Integrated-c.LUFS) > 0.1 || got.TruePeak > 0 {
				t.Errorf("%.2f LUFS, %.2f dBTP, the table says %.1f LUFS", got.Integrated, got.TruePeak, c.LUFS)
			}
			if c.Title == "" || c.ScamType == "" || len(c.Audience) == 0 {
				t.Errorf("incomplete: %+v", c)
			}
			if found, ok := ByName(c.Name); !ok || found.Title != c.Title {
				t.Errorf("ByName(%q) = %+v, %v", c.Name, found, ok)
			}
		})
	}
	for _, name := range []string{"shuadan", "kefu", "laonian"} {
		if _, ok := ByName(name); !ok {
			t.Errorf("clip %q is missing", name)
		}
	}
	if _, ok := ByName("nobody"); ok {
		t.Error("ByName finds what is not there")
	}
}

// The synthesiser reads digits and Latin letters wrongly, and 幺 is how the
// number is said.
func TestSpokenTextsCanBeRead(t *testing.T) {
	lines := strings.Split(strings.TrimSpace(texts), "\n")
	if len(lines) != len(All()) {
		t.Fatalf("texts.tsv has %d lines for %d clips", len(lines), len(All()))
	}
	for i, c := range All() {
		if lines[i] != c.Name+"\t"+c.SpokenText {
			t.Errorf("texts.tsv line %d is not the spoken text of %s", i+1, c.Name)
		}
		if got := strings.ReplaceAll(c.DisplayText, "96110", "九六幺幺零"); got != c.SpokenText {
			t.Errorf("%s: texts differ in more than the number:\n%s\n%s", c.Name, got, c.SpokenText)
		}
		for _, r := range c.SpokenText {
			if r < 0x80 || unicode.IsDigit(r) {
				t.Errorf("%s: %q is read wrongly", c.Name, r)
			}
		}
		for _, word := range []string{"银行", "还款", "佣金"} {
			if strings.Contains(c.SpokenText, word) {
				t.Errorf("%s: %q is read wrongly", c.Name, word)
			}
		}
	}
}

// The texts must still be what the files say: the synthesiser says them in the
// length of the clip.
func TestClipsMatchTheirTexts(t *testing.T) {
	needtool.Need(t, "espeak-ng")
	for _, c := range All() {
		t.Run(c.Name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "said.wav")
			if out, err := exec.Command("espeak-ng", "-v", "cmn-latn-pinyin", "-s", "150", "-w", file, c.SpokenText).CombinedOutput(); err != nil {
				t.Fatalf("espeak-ng: %v\n%s", err, out)
			}
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			_, info, err := decode.Decode(context.Background(), b, decode.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			const padding = 200 * time.Millisecond
			if d := c.Duration - info.Duration - padding; d < -300*time.Millisecond || d > 300*time.Millisecond {
				t.Fatalf("the clip lasts %v, the text %v and %v of padding", c.Duration, info.Duration, padding)
			}
		})
	}
}
