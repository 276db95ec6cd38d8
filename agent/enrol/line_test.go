package enrol

import (
	"strings"
	"testing"
)

const testHash = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

func TestParseJoinLineAccepts(t *testing.T) {
	want := Line{URL: "https://10.1.2.3:8443", Code: "K7QM-4T2P", RootHash: testHash}
	tests := map[string]string{
		"as_printed":       "gatecast-agent join https://10.1.2.3:8443 K7QM-4T2P " + testHash,
		"with_sudo":        "$ sudo /usr/bin/gatecast-agent join https://10.1.2.3:8443 K7QM-4T2P " + testHash + "\n",
		"operands_only":    "https://10.1.2.3:8443 K7QM-4T2P " + testHash,
		"trailing_slash":   "https://10.1.2.3:8443/ K7QM-4T2P " + testHash,
		"code_in_two":      "https://10.1.2.3:8443 K7QM 4T2P " + testHash,
		"broken_lines":     "gatecast-agent join\r\nhttps://10.1.2.3:8443\r\nK7QM-4T2P\r\n" + strings.ToUpper(testHash) + "\r\n",
		"file_with_remark": "\ufeff# 松风苑南门 https://old:1 X\n\ngatecast-agent join \"https://10.1.2.3:8443\" 'K7QM-4T2P' “" + testHash + "”\n",
	}
	for name, in := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := ParseJoinLine(in)
			if err != nil || got != want {
				t.Errorf("ParseJoinLine(%q) = %+v, %v, want %+v", in, got, err, want)
			}
		})
	}
	if got, err := ParseJoinLine(want.String()); err != nil || got != want {
		t.Errorf("ParseJoinLine(String()) = %+v, %v", got, err)
	}
	if got, err := ParseJoinLine("https://[fd00::5]:8443 K7QM4T2P " + testHash); err != nil || got.URL != "https://[fd00::5]:8443" {
		t.Errorf("IPv6 address: %+v, %v", got, err)
	}
}

func TestParseJoinLineRefuses(t *testing.T) {
	tests := map[string]struct{ in, want string }{
		"empty":            {"", "needs an address"},
		"remark_only":      {"# https://10.1.2.3:8443 K7QM-4T2P " + testHash, "needs an address"},
		"no_hash":          {"gatecast-agent join https://10.1.2.3:8443 K7QM-4T2P", "needs an address"},
		"http":             {"http://10.1.2.3:8443 K7QM-4T2P " + testHash, "https://"},
		"no_port":          {"https://10.1.2.3 K7QM-4T2P " + testHash, "HOST:PORT"},
		"port_zero":        {"https://10.1.2.3:0 K7QM-4T2P " + testHash, "HOST:PORT"},
		"port_too_big":     {"https://10.1.2.3:70000 K7QM-4T2P " + testHash, "HOST:PORT"},
		"path":             {"https://10.1.2.3:8443/enrol K7QM-4T2P " + testHash, "nothing else"},
		"user":             {"https://a@10.1.2.3:8443 K7QM-4T2P " + testHash, "nothing else"},
		"code_of_symbols":  {"https://10.1.2.3:8443 K7QM*4T2P " + testHash, "join code"},
		"code_too_short":   {"https://10.1.2.3:8443 K7Q " + testHash, "join code"},
		"hash_cut":         {"https://10.1.2.3:8443 K7QM-4T2P " + testHash[:63], "64 hex digits"},
		"hash_of_letters":  {"https://10.1.2.3:8443 K7QM-4T2P " + strings.Repeat("g", 64), "64 hex digits"},
		"far_too_long":     {strings.Repeat("x", MaxLine+1), "bytes"},
		"control_in_host":  {"https://10.1.2.3\x01:8443 K7QM-4T2P " + testHash, "cannot be read"},
		"address_nonsense": {"https://[::1:8443 K7QM-4T2P " + testHash, "cannot be read"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := ParseJoinLine(tt.in)
			if codeOf(err) != BadLine || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("ParseJoinLine(%q) = %v, want code %q and %q", tt.in, err, BadLine, tt.want)
			}
			if !strings.Contains(TextOf(err, "zh"), "入网命令有误") || !strings.Contains(TextOf(err, "en"), tt.want) {
				t.Errorf("texts %q, %q", TextOf(err, "zh"), TextOf(err, "en"))
			}
		})
	}
}

func FuzzParseJoinLine(f *testing.F) {
	f.Add("gatecast-agent join https://10.1.2.3:8443 K7QM-4T2P " + testHash)
	f.Add("# x\nhttps://[::1]:1 AB CD " + testHash)
	f.Fuzz(func(t *testing.T, in string) {
		line, err := ParseJoinLine(in)
		if err != nil {
			return
		}
		again, err := ParseJoinLine(line.String())
		if err != nil || again != line {
			t.Errorf("ParseJoinLine(%q) = %+v, whose own String gives %+v, %v", in, line, again, err)
		}
	})
}

func TestTextsAreCompleteInBothLanguages(t *testing.T) {
	codes := []Code{UnknownCode, UsedCode, ExpiredCode, BadRequest, Unavailable, BadLine, Unreachable, NoRoot, WrongRoot, Impostor, BadAnswer, BadDisk, OtherHome}
	if len(texts) != len(codes) {
		t.Errorf("%d texts for %d codes", len(texts), len(codes))
	}
	for _, c := range codes {
		e := &Error{Code: c, Subject: "X1Y"}
		for _, lang := range []string{"zh", "en"} {
			if s := e.Text(lang); !strings.Contains(s, "X1Y") || strings.Contains(s, "%!") {
				t.Errorf("%s in %s: %q does not name the thing", c, lang, s)
			}
		}
	}
}
