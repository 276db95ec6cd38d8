package output

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestProbeFindsASoundServer(t *testing.T) {
	s := newTestServer(t, "horn")
	all := Probe(t.Context(), Options{Server: s.Address}, ALSA, Pulse, File)
	c, ok := Choose(all)
	if !ok || c.Kind != Pulse || c.Name != "horn (horn)" {
		t.Errorf("Choose(%+v) = %+v, %v; want the pulse sink", all, c, ok)
	}
	for _, c := range all {
		if !c.Works() && TextOf(c.Err, "en") == "" {
			t.Errorf("%+v has no words for people", c)
		}
	}
}

func TestProbeFallsToTheFileAndSaysWhy(t *testing.T) {
	all := Probe(t.Context(), Options{Server: "unix:" + t.TempDir() + "/native"}, Pulse, File)
	c, ok := Choose(all)
	if !ok || c.Kind != File {
		t.Errorf("Choose(%+v) = %+v, %v; want file", all, c, ok)
	}
	if len(all) != 2 || all[0].Works() || TextOf(all[0].Err, "zh") == "" {
		t.Errorf("Probe = %+v, want the pulse fault first", all)
	}
}

func TestChooseWithoutAny(t *testing.T) {
	if c, ok := Choose(nil); ok {
		t.Errorf("Choose(nil) = %+v, want none", c)
	}
}

func TestServerFromEnvPrefersWhatIsSaid(t *testing.T) {
	tests := map[string]struct {
		env  map[string]string
		want string
	}{
		"nothing":        {nil, ""},
		"desktop":        {map[string]string{"XDG_RUNTIME_DIR": "/run/user/7"}, "unix:/run/user/7/pulse/native"},
		"both_folders":   {map[string]string{"XDG_RUNTIME_DIR": "/a", "PULSE_RUNTIME_PATH": "/b"}, "unix:/b/native unix:/a/pulse/native"},
		"server_is_said": {map[string]string{"PULSE_SERVER": "tcp:10.0.0.2", "XDG_RUNTIME_DIR": "/a"}, "tcp:10.0.0.2"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := ServerFromEnv(func(k string) string { return tt.env[k] }); got != tt.want {
				t.Errorf("ServerFromEnv(%v) = %q, want %q", tt.env, got, tt.want)
			}
		})
	}
}

func TestParseServerReadsEveryForm(t *testing.T) {
	tests := map[string][]address{
		"":                           nil,
		"unix:/a/native":             {{"unix", "/a/native"}},
		"/a/native":                  {{"unix", "/a/native"}},
		"{host}unix:/a tcp:10.0.0.2": {{"unix", "/a"}, {"tcp", "10.0.0.2:4713"}},
		"tcp6:[::1]:99":              {{"tcp6", "[::1]:99"}},
		"tcp6:[::1]":                 {{"tcp6", "[::1]:4713"}},
		"carrier-pigeon {":           nil,
	}
	for in, want := range tests {
		if diff := cmp.Diff(want, parseServer(in), cmp.AllowUnexported(address{}), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("parseServer(%q) (-want +got):\n%s", in, diff)
		}
	}
}

func FuzzParseServer(f *testing.F) {
	f.Add("unix:/run/native tcp:host:1 {a}/b")
	f.Fuzz(func(t *testing.T, s string) {
		for _, a := range parseServer(s) {
			if a.network == "" {
				t.Errorf("parseServer(%q) has an address without a network", s)
			}
		}
	})
}
