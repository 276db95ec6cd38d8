package vmtest

import (
	"context"
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"

	"gatecast/internal/guest"
)

// prefix marks the guest's messages among what its kernel prints.
const prefix = "GUEST "

// message is one line of the guest.
type message struct {
	Name    string          `json:"name"`
	QMP     json.RawMessage `json:"qmp,omitempty"` // for the host to run
	AfterMS int             `json:"after_ms,omitempty"`
	Result  json.RawMessage `json:"result,omitempty"`
}

// boot runs the machine to its end and returns the guest's results by name.
// What the guest prints besides is logged.
func boot(t *testing.T, program string, args []string, dir string) map[string]json.RawMessage {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	results := map[string]json.RawMessage{}
	orders := make(chan message, 16)
	began := time.Now()
	m, err := guest.Start(ctx, guest.Options{Program: program, Args: args, Dir: dir, Console: func(line string) {
		at := time.Since(began).Round(10 * time.Millisecond)
		_, body, ok := strings.Cut(line, prefix)
		var said message
		if !ok || json.Unmarshal([]byte(body), &said) != nil {
			t.Logf("[%v] %s", at, line)
			return
		}
		if said.QMP != nil {
			orders <- said
			return
		}
		t.Logf("[%v] %s: %s", at, said.Name, said.Result)
		results[said.Name] = said.Result
	}})
	if err != nil {
		t.Fatal(err)
	}
	var pending sync.WaitGroup
	pending.Go(func() {
		for {
			select {
			case o := <-orders:
				<-time.After(time.Duration(o.AfterMS) * time.Millisecond)
				if err := m.Command(o.QMP); err != nil {
					t.Errorf("telling the machine %s: %v", o.QMP, err)
				}
			case <-m.Done():
				return
			}
		}
	})
	err = m.Wait()
	pending.Wait()
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := results["end"]; !ok {
		t.Fatal("the guest did not come to its end")
	}
	return results
}
