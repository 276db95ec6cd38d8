package repocheck

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const maxLines = 1000 // of a file; 70 to 170 is the feel

var banned = []struct {
	pattern *regexp.Regexp
	where   func(path string) bool
	why     string
}{
	{regexp.MustCompile(`time\.Now\(`), func(p string) bool { return in(p, "schedules") && !isTest(p) }, "schedules is pure: the caller brings the time"},
	{regexp.MustCompile(`\bos\.Exit\(`), func(p string) bool { return !in(p, "cmd") && !isTest(p) }, "only cmd exits"},
	{regexp.MustCompile(`\bos\.Getenv\(|\bos\.LookupEnv\(`), func(p string) bool {
		return !in(p, "cmd") && !isTest(p) && !strings.Contains(p, "/config/") && !in(p, "internal/sdnotify") && !in(p, "internal/needtool") && !in(p, "internal/lossyfs")
	}, "only cmd and config read the environment"},
	{regexp.MustCompile(`[^.\w]time\.Sleep\(`), func(p string) bool { return isTest(p) && !usesSynctest(p) }, "tests wait for events, not for time, outside a synctest bubble"},
	{regexp.MustCompile(`(?:errors\.New|fmt\.Errorf)\("(?:failed to|unable to|error |Error |could not )`), everywhere, "say what was being done, as a gerund or noun"},
	{regexp.MustCompile(`//\s*(?:TODO|FIXME|XXX)`), everywhere, "finish it, or write an issue"},
}

func everywhere(string) bool { return true }

func isTest(path string) bool {
	return strings.HasSuffix(path, "_test.go") || strings.HasPrefix(path, "internal/acceptance/")
}

func usesSynctest(path string) bool {
	b, err := os.ReadFile(filepath.Join("../..", path))
	return err == nil && bytes.Contains(b, []byte(`"testing/synctest"`))
}

func TestSourceKeepsTheRules(t *testing.T) {
	for _, p := range packages(t) {
		files := append(append(append([]string{}, p.GoFiles...), p.TestGoFiles...), p.XTestGoFiles...)
		for _, name := range files {
			full := filepath.Join(p.Dir, name)
			rel := strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, "gatecast"), "/") + "/" + name
			b, err := os.ReadFile(full)
			if err != nil {
				t.Fatal(err)
			}
			if n := bytes.Count(b, []byte("\n")); n > maxLines {
				t.Errorf("%s has %d lines, the limit is %d", rel, n, maxLines)
			}
			if strings.HasPrefix(rel, "internal/repocheck/") {
				continue // it spells the patterns
			}
			for i, line := range strings.Split(string(b), "\n") {
				for _, r := range banned {
					if r.where(rel) && r.pattern.MatchString(line) {
						t.Errorf("%s:%d: %s\n\t%s", rel, i+1, r.why, strings.TrimSpace(line))
					}
				}
			}
		}
	}
}

func TestEveryPackageSaysWhatItIs(t *testing.T) {
	for _, p := range packages(t) {
		if len(p.GoFiles) == 0 {
			continue
		}
		if p.Doc == "" {
			t.Errorf("%s has no package comment", p.ImportPath)
		}
		n := 0
		for _, name := range p.GoFiles {
			b, err := os.ReadFile(filepath.Join(p.Dir, name))
			if err != nil {
				t.Fatal(err)
			}
			if regexp.MustCompile(`(?m)^(?:// .*|\*/)\npackage ` + p.Name + `\b`).Match(b) {
				n++
			}
		}
		if n > 1 {
			t.Errorf("%s has %d package comments", p.ImportPath, n)
		}
		for _, vague := range []string{"util", "utils", "common", "helpers", "types", "models", "base", "misc", "http"} {
			if p.Name == vague {
				t.Errorf("%s: %q says nothing", p.ImportPath, vague)
			}
		}
	}
}

func TestModuleHasNoReplace(t *testing.T) {
	b, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(b, []byte("\nreplace ")) {
		t.Error("go.mod has a replace directive: a clean clone builds from published modules")
	}
}
