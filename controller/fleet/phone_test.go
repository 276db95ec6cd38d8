package fleet

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestPhoneIsMaskedWhereverItIsPrinted(t *testing.T) {
	for in, want := range map[Phone]string{
		"13800001234": "138****1234", " 13800001234 ": "138****1234", "010-12345678": "010****5678", "110": "****", "": "", UnreadablePhone: "****",
	} {
		if got := in.String(); got != want {
			t.Errorf("Phone(%q) = %q, want %q", string(in), got, want)
		}
	}
	p := Point{DutyName: "张工", DutyPhone: "13800001234"}
	j, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	var logged strings.Builder
	slog.New(slog.NewJSONHandler(&logged, nil)).Info("x", "point", p, "phone", p.DutyPhone)
	slog.New(slog.NewTextHandler(&logged, nil)).Info("x", "point", p, "phone", p.DutyPhone)
	for _, text := range []string{string(j), logged.String(), fmt.Sprint(p), fmt.Sprintf("%+v %s %q", p, p.DutyPhone, p.DutyPhone)} {
		if strings.Contains(text, "13800001234") || !strings.Contains(text, "138****1234") {
			t.Errorf("printed as %s", text)
		}
	}
	if p.DutyPhone.Full() != "13800001234" {
		t.Errorf("Full = %q", p.DutyPhone.Full())
	}
	if got := MaskPhones("打给13812345678或 +8613912345678，SHA a13812345678b"); got != "打给138****5678或 +8613912345678，SHA a13812345678b" {
		t.Errorf("MaskPhones = %q", got)
	}
}
