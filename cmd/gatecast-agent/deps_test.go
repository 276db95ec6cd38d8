package main

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestDependenciesAreListed compares what the agent is made of with deps.txt,
// so that a review sees what a change adds to every gate. UPDATE_GOLDEN=1
// writes the file anew.
func TestDependenciesAreListed(t *testing.T) {
	c := exec.Command("go", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", ".")
	c.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=arm64")
	out, err := c.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	deps := strings.Fields(string(out))
	slices.Sort(deps)
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile("deps.txt", []byte(strings.Join(deps, "\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("deps.txt")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Fields(string(want)), deps); diff != "" {
		t.Errorf("dependencies (-deps.txt +now):\n%s", diff)
	}
	for _, banned := range []string{"gatecast/controller", "nats-io", "modernc.org", "html/template", "testing"} {
		for _, dep := range deps {
			if strings.Contains(dep, banned) {
				t.Errorf("the agent depends on %s", dep)
			}
		}
	}
}
