package vmtest

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
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
func boot(t *testing.T, program string, args []string, qmp string) map[string]json.RawMessage {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, append(args, "-nodefaults", "-display", "none", "-no-reboot",
		"-serial", "stdio", "-qmp", "unix:"+qmp+",server=on,wait=off")...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var complaints strings.Builder
	cmd.Stderr = &complaints
	began := time.Now()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	results := map[string]json.RawMessage{}
	var pending sync.WaitGroup
	defer pending.Wait()
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		at := time.Since(began).Round(10 * time.Millisecond)
		_, body, ok := strings.Cut(line, prefix)
		var m message
		if !ok || json.Unmarshal([]byte(body), &m) != nil {
			t.Logf("[%v] %s", at, line)
			continue
		}
		switch {
		case m.QMP != nil:
			pending.Go(func() {
				<-time.After(time.Duration(m.AfterMS) * time.Millisecond)
				if err := command(qmp, m.QMP); err != nil {
					t.Errorf("telling the machine %s: %v", m.QMP, err)
				}
			})
		default:
			t.Logf("[%v] %s: %s", at, m.Name, m.Result)
			results[m.Name] = m.Result
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%s: %v: %s", program, err, complaints.String())
	}
	if _, ok := results["end"]; !ok {
		t.Fatalf("the guest did not come to its end: %s", complaints.String())
	}
	return results
}

// command gives the machine one QMP command.
func command(socket string, cmd json.RawMessage) error {
	conn, err := net.DialTimeout("unix", socket, 5*time.Second)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return err
	}
	replies := bufio.NewScanner(conn)
	replies.Scan() // the greeting
	for _, c := range []string{`{"execute":"qmp_capabilities"}`, string(cmd)} {
		if _, err := fmt.Fprintln(conn, c); err != nil {
			return err
		}
		for replies.Scan() && strings.Contains(replies.Text(), `"event"`) {
		}
		if err := replies.Err(); err != nil {
			return err
		}
		if strings.Contains(replies.Text(), `"error"`) {
			return fmt.Errorf("answer %s", replies.Text())
		}
	}
	return nil
}
