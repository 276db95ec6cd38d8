package sheet

import (
	"testing"

	"gatecast/controller/fleet"
)

func TestPhoneNormalises(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, in string
		want     fleet.Phone
	}{
		{"plain", "13800001234", "13800001234"},
		{"float", "13800001234.0", "13800001234"},
		{"exponent_with_all_digits", "1.3800001234E10", "13800001234"},
		{"exponent_of_excel", "1.3800001234E+10", "13800001234"},
		{"exponent_of_java", "1.38E10", "13800000000"},
		{"spaces", " 138 0000 1234\u00a0", "13800001234"},
		{"hyphens", "138-0000-1234", "13800001234"},
		{"en_dashes", "138–0000–1234", "13800001234"},
		{"country", "+86 138 0000 1234", "13800001234"},
		{"country_zeros", "008613800001234", "13800001234"},
		{"country_bare", "8613800001234", "13800001234"},
		{"trunk_zero", "013800001234", "13800001234"},
		{"full_width", "１３８００００１２３４", "13800001234"},
		{"full_width_country", "＋８６１３８００００１２３４", "13800001234"},
		{"zero_width", "138\u200b00001234", "13800001234"},
		{"apostrophe", "'13800001234", "13800001234"},
		{"landline", "0557-1234567", ""},
		{"landline_of_eight", "010-62345678", "010-62345678"},
		{"landline_joined", "05572345678", "05572345678"},
		{"landline_brackets", "（0557）2345678", "0557-2345678"},
		{"landline_full_width_dash", "0557－2345678", "0557-2345678"},
		{"landline_country", "+86-557-2345678", "0557-2345678"},
		{"landline_local", "2345678", "2345678"},
		{"extension", "0557-2345678转12", "0557-2345678-12"},
		{"service", "400-123-4567", "4001234567"},
		{"short_number", "96110", "96110"},
		{"empty", " ", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Phone(tt.in)
			if got.Full() != tt.want.Full() || err != nil && tt.want != "" {
				t.Errorf("Phone(%q) = %q, %v, want %q", tt.in, got.Full(), err, tt.want.Full())
			}
			if again, err := Phone(got.Full()); err != nil || again != got {
				t.Errorf("Phone of its own result %q = %q, %v", got.Full(), again.Full(), err)
			}
		})
	}
}

func TestPhoneRefuses(t *testing.T) {
	t.Parallel()
	for _, in := range []string{
		"1.38E+10", // what a narrow column shows: the last digits are gone
		"1380000123", "138000012345", "23800001234", "12800001234", "待定", "张工", "13800001234/13900001234", "138****1234", "0", "1.5", "-1",
		"32130119900101123", "9",
	} {
		if got, err := Phone(in); fleet.CodeOf(err) != fleet.Invalid {
			t.Errorf("Phone(%q) = %q, %v, want a refusal", in, got.Full(), err)
		}
	}
}

func TestCodeNormalises(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ in, want string }{
		{"SF-01", "SF-01"},
		{" ＳＦ－０１ ", "SF-01"},
		{"SF—01", "SF-01"},
		{"340000001001", "340000001001"},
		{"340000001001.0", "340000001001"},
		{"3.40000001001E11", "340000001001"},
		{"3.40000001001E+11", "340000001001"},
		{"007", "007"},
		{"1.5", "1.5"},
		{"2E5", "200000"}, // as Java writes 200000.0; a code of that look has to be text with a hyphen
		{"", ""},
	} {
		if got, err := Code(tt.in); err != nil || got != tt.want {
			t.Errorf("Code(%q) = %q, %v, want %q", tt.in, got, err, tt.want)
		}
	}
	if got, err := Code("3.4E+11"); fleet.CodeOf(err) != fleet.Invalid {
		t.Errorf("Code of a number without its last digits = %q, %v, want a refusal", got, err)
	}
}

func TestNumberReads(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		in   string
		want int
	}{{"0", 0}, {"512", 512}, {"512.0", 512}, {"1,024", 1024}, {"１２", 12}, {"300户", 300}, {"45 人", 45}, {"1.2E3", 1200}} {
		if got, err := Number(tt.in); err != nil || got != tt.want {
			t.Errorf("Number(%q) = %d, %v, want %d", tt.in, got, err, tt.want)
		}
	}
	for _, in := range []string{"", "-1", "1.5", "约300", "1e30", "9999999999999", "0x10", "1.2E+9"} {
		if got, err := Number(in); err == nil {
			t.Errorf("Number(%q) = %d, want a refusal", in, got)
		}
	}
}

func TestDateReads(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		in    string
		m1904 bool
		want  fleet.Day
	}{
		{"2026-11-23", false, "2026-11-23"},
		{"2026.11.23", false, "2026-11-23"},
		{"2026/11/23", false, "2026-11-23"},
		{"2026/1/3", false, "2026-01-03"},
		{"2026年11月23日", false, "2026-11-23"},
		{"2026年1月3日", false, "2026-01-03"},
		{"2026 年 11 月 23 日", false, "2026-11-23"},
		{"２０２６．１１．２３", false, "2026-11-23"},
		{"20261123", false, "2026-11-23"},
		{"2026-11-23 00:00:00", false, "2026-11-23"},
		{"2026-11-23T08:30:00", false, "2026-11-23"},
		{"46349", false, "2026-11-23"},
		{"46349.5", false, "2026-11-23"},
		{"44887", true, "2026-11-23"},
		{"2028-02-29", false, "2028-02-29"},
	} {
		if got, err := Date(tt.in, tt.m1904); err != nil || got != tt.want {
			t.Errorf("Date(%q, %v) = %q, %v, want %q", tt.in, tt.m1904, got, err, tt.want)
		}
	}
	for _, in := range []string{"", "2026-02-29", "2026-13-01", "11-23-26", "23.11.2026", "2026-11", "2026.11/", "长期", "5", "2026", "0001-01-01", "-46349", "1e9"} {
		if got, err := Date(in, false); fleet.CodeOf(err) != fleet.Invalid {
			t.Errorf("Date(%q) = %q, %v, want a refusal", in, got, err)
		}
	}
}

func TestTextTidies(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ in, want string }{
		{" 松风社区　", "松风社区"},
		{"松风\n社区", "松风 社区"},
		{"松风\u200b社区", "松风社区"},
		{"（第一网格）", "（第一网格）"},
		{"a\x07b", "ab"},
		{"\u3000 \t", ""},
	} {
		if got := Text(tt.in); got != tt.want {
			t.Errorf("Text(%q) = %q, want %q", tt.in, got, tt.want)
		}
	}
}

func TestGuardDisarmsFormulas(t *testing.T) {
	t.Parallel()
	for _, in := range []string{"=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "＝1", "＋1", "－1", "＠a", "'=1", "''=1"} {
		got := guard(in)
		if got != "'"+in {
			t.Errorf("guard(%q) = %q, want an apostrophe before it", in, got)
		}
		if back := unguard(got); back != in {
			t.Errorf("unguard(%q) = %q, want %q", got, back, in)
		}
	}
	for _, in := range []string{"", "松风", "'", "''", "'a", "a=1"} {
		if got := guard(in); got != in {
			t.Errorf("guard(%q) = %q, want it unchanged", in, got)
		}
		if got := unguard(in); got != in {
			t.Errorf("unguard(%q) = %q, want it unchanged", in, got)
		}
	}
}
