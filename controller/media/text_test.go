package media

import (
	"strings"
	"testing"
	"time"
	"unicode"

	"gatecast/audio/decode"
)

// sound fails unless both texts are whole sentences in their language, without
// a placeholder left.
func sound(t testing.TB, zh, en string) {
	t.Helper()
	for _, s := range []string{zh, en} {
		if strings.ContainsAny(s, "{}%!") && !strings.Contains(s, "% 的时间") && !strings.Contains(s, "% of the time") {
			t.Errorf("placeholder left in %q", s)
		}
	}
	if !strings.HasSuffix(zh, "。") || !strings.ContainsFunc(zh, func(r rune) bool { return unicode.Is(unicode.Han, r) }) {
		t.Errorf("Chinese text %q is no Chinese sentence", zh)
	}
	if !strings.HasSuffix(en, ".") || strings.ContainsFunc(en, func(r rune) bool { return unicode.Is(unicode.Han, r) }) {
		t.Errorf("English text %q is no English sentence", en)
	}
}

func TestEveryCodeHasItsTexts(t *testing.T) {
	codes := []Code{Empty, Truncated, Corrupt, RateChange, TooLong, TooBig, NotAudio, Unsupported,
		TooShort, Silent, MostlySilent, UploadCut, DiskFull, NoSound, OverReel, NoOriginal, BadStretch}
	if len(codes) != len(texts) {
		t.Errorf("%d codes, %d texts", len(codes), len(texts))
	}
	for _, c := range codes {
		if _, ok := texts[c]; !ok {
			t.Errorf("code %q has no text", c)
		}
		e := &Error{Code: c, Duration: 40*time.Minute + 12*time.Second, Max: 180 * time.Second, MaxBytes: 50_000_000, From: 1, To: 2, Share: 0.7, Kind: decode.KindM4A}
		sound(t, e.Say(ZH).String(), e.Say(EN).String())
	}
	for _, c := range []decode.Code{decode.Empty, decode.Truncated, decode.Corrupt, decode.RateChange, decode.TooLong, decode.TooBig, decode.NotAudio, decode.Unsupported} {
		if _, ok := texts[Code(c)]; !ok {
			t.Errorf("decode's code %q has no text", c)
		}
	}
	for kind := range kinds {
		e := &Error{Code: Unsupported, Kind: kind}
		sound(t, e.Say(ZH).String(), e.Say(EN).String())
	}
	for c := range warnings {
		w := Warning{Code: c, Duration: 1200 * time.Millisecond, Max: time.Minute, LUFS: -23, Target: -18, Named: ".mp3", Kind: decode.KindM4A}
		sound(t, w.Say(ZH), w.Say(EN))
	}
}

func TestDurationsAreSaidAsPeopleDo(t *testing.T) {
	tests := []struct {
		d      time.Duration
		zh, en string
	}{
		{300 * time.Millisecond, "0.3秒", "0.3 s"},
		{999 * time.Millisecond, "0.9秒", "0.9 s"},
		{14400 * time.Millisecond, "14秒", "14 s"},
		{180 * time.Second, "180秒", "180 s"},
		{181 * time.Second, "3分1秒", "3 min 1 s"},
		{40*time.Minute + 12*time.Second, "40分12秒", "40 min 12 s"},
	}
	for _, tt := range tests {
		if got := sayDuration(tt.d, ZH); got != tt.zh {
			t.Errorf("%v = %q, want %q", tt.d, got, tt.zh)
		}
		if got := sayDuration(tt.d, EN); got != tt.en {
			t.Errorf("%v = %q, want %q", tt.d, got, tt.en)
		}
	}
}
