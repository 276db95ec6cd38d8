// Package needtool lets a test say which programs of the machine it needs.
//
// Where they are missing the test skips with one constant message, so that
// `go test ./...` passes with Go alone; with CI set the same skip is a failure,
// so that nothing goes untested unnoticed.
package needtool

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// Message is the one text of every such skip, followed by the missing names.
const Message = "needs a tool that this machine lacks (make test installs it)"

// Need returns when every program is on the PATH or, for names with a slash,
// exists as a file. Otherwise it skips t, or fails it when CI is set.
func Need(t testing.TB, programs ...string) {
	t.Helper()
	var missing []string
	for _, p := range programs {
		var err error
		if strings.Contains(p, "/") {
			_, err = os.Stat(p)
		} else {
			_, err = exec.LookPath(p)
		}
		if err != nil {
			missing = append(missing, p)
		}
	}
	if len(missing) > 0 {
		Missing(t, strings.Join(missing, ", "))
	}
}

// Missing reports that what is not there: a skip, or a failure when CI is set.
func Missing(t testing.TB, what string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatalf("%s: %s", Message, what)
	}
	t.Skipf("%s: %s", Message, what)
}
