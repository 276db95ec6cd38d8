package repocheck

import (
	"encoding/json"
	"io"
	"os/exec"
	"strings"
	"testing"
)

type pkg struct {
	ImportPath, Dir, Doc, Name         string
	Imports, TestImports, XTestImports []string
	GoFiles, TestGoFiles, XTestGoFiles []string
	IgnoredGoFiles                     []string
}

// packages lists the module's packages.
func packages(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Dir,Doc,Name,Imports,TestImports,XTestImports,GoFiles,TestGoFiles,XTestGoFiles,IgnoredGoFiles", "./...")
	cmd.Dir = "../.."
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []pkg
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := dec.Decode(&p); err == io.EOF {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

// in reports whether path is prefix or below it.
func in(path, prefix string) bool {
	return path == prefix || strings.HasPrefix(path, prefix+"/")
}

func TestImportsPointOneWay(t *testing.T) {
	forbidden := []struct {
		from, to string
		except   []string
		why      string
	}{
		{"gatecast/agent", "gatecast/controller", nil, "they meet in schedules and internal only"},
		{"gatecast/controller", "gatecast/agent", nil, "they meet in schedules and internal only"},
		{"gatecast/agent", "gatecast/internal/guest", nil, "virtual machines are for tests"},
		{"gatecast/controller", "gatecast/internal/guest", nil, "virtual machines are for tests"},
		{"gatecast/audio", "gatecast/internal/guest", nil, "virtual machines are for tests"},
		{"gatecast/cmd", "gatecast/internal/guest", nil, "virtual machines are for tests"},
		{"gatecast/agent", "gatecast/cmd", nil, "arrows go down"},
		{"gatecast/controller", "gatecast/cmd", nil, "arrows go down"},
		{"gatecast/internal", "gatecast/agent", []string{"gatecast/internal/acceptance", "gatecast/internal/simulate"}, "arrows go down"},
		{"gatecast/internal", "gatecast/controller", []string{"gatecast/internal/acceptance", "gatecast/internal/simulate"}, "arrows go down"},
		{"gatecast/audio", "gatecast/agent", nil, "arrows go down"},
		{"gatecast/audio", "gatecast/controller", nil, "arrows go down"},
		{"gatecast/audio", "gatecast/schedules", nil, "sound knows no calendar"},
		{"gatecast/schedules", "gatecast/internal", nil, "schedules is pure"},
		{"gatecast/schedules", "gatecast/agent", nil, "schedules is pure"},
		{"gatecast/schedules", "gatecast/controller", nil, "schedules is pure"},
		{"gatecast/agent/journal", "gatecast/agent/link", nil, "the journal outlives the link"},
		{"gatecast/agent/playout", "gatecast/agent/link", nil, "playout outlives the link"},
		{"gatecast/internal/evidence", "net", nil, "a verifier works offline"},
		{"gatecast/internal/evidence", "os", nil, "it reads what it is given"},
		{"gatecast/internal/evidence", "gatecast/internal/durable", nil, "it writes nothing"},
		{"gatecast/controller/dossier", "gatecast/controller/store", nil, "an export knows fleet and its own interfaces"},
		{"gatecast/controller/notary", "gatecast/controller/store", nil, "the notary knows fleet and its own interfaces"},
		{"gatecast/controller/fleet", "gatecast/controller", []string{"gatecast/controller/fleet"}, "the domain knows no adapter"},
		{"gatecast/controller/web", "gatecast/controller/store", nil, "web knows fleet and its own interfaces"},
		{"gatecast/controller/link", "gatecast/controller/store", nil, "link knows fleet and its own interfaces"},
		{"gatecast/controller/ledger", "gatecast/controller/store", nil, "ledger knows fleet and its own interfaces"},
	}
	for _, p := range packages(t) {
		for _, imp := range p.Imports {
			for _, f := range forbidden {
				if in(p.ImportPath, f.from) && in(imp, f.to) && !(in(imp, f.from) && f.from != f.to) && !excepted(p.ImportPath, f.except) {
					t.Errorf("%s imports %s: %s", p.ImportPath, imp, f.why)
				}
			}
		}
	}
}

func excepted(path string, list []string) bool {
	for _, e := range list {
		if in(path, e) {
			return true
		}
	}
	return false
}

func TestAdaptersKeepTheirTools(t *testing.T) {
	only := []struct {
		tool string
		at   []string
	}{
		{"database/sql", []string{"gatecast/controller/store", "gatecast/internal/acceptance/rival"}},
		{"modernc.org/sqlite", []string{"gatecast/controller/store", "gatecast/internal/acceptance/rival"}},
		{"github.com/eclipse/paho.mqtt.golang", []string{"gatecast/agent/link", "gatecast/controller/link", "gatecast/internal/acceptance/rival"}},
		{"github.com/nats-io/nats-server/v2/server", []string{"gatecast/controller/broker"}},
		{"html/template", []string{"gatecast/controller/web"}},
		{"flag", []string{"gatecast/cmd"}},
		{"os/signal", []string{"gatecast/cmd"}},
	}
	for _, p := range packages(t) {
		for _, imp := range p.Imports {
			for _, o := range only {
				if imp == o.tool && !excepted(p.ImportPath, o.at) {
					t.Errorf("%s imports %s, which only %v may", p.ImportPath, imp, o.at)
				}
			}
			if p.ImportPath == "gatecast/schedules" && strings.Contains(imp, ".") &&
				imp != "github.com/robfig/cron/v3" && imp != "go.yaml.in/yaml/v3" {
				t.Errorf("schedules imports %s: stdlib, the cron parser and the YAML decoder only", imp)
			}
		}
	}
}

// TestShippedProgramsContainNoTestDisk keeps the file system of the power-cut
// tests, and what it is made of, out of what is installed.
func TestShippedProgramsContainNoTestDisk(t *testing.T) {
	cmd := exec.Command("go", "list", "-deps", "./cmd/...")
	cmd.Dir = "../.."
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	for _, dep := range strings.Fields(string(out)) {
		if in(dep, "github.com/hanwen/go-fuse") || in(dep, "gatecast/internal/lossyfs") {
			t.Errorf("a program under cmd contains %s", dep)
		}
	}
}
