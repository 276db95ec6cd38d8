package simulate

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"log/slog"
	"strings"
	"sync"
	"time"
)

// storyLines is how many of the newest lines of an actor are kept for the
// story of a violation.
const storyLines = 40

// trace is the running hash of everything that happened, and the newest lines
// of each actor. It is safe for concurrent use.
type trace struct {
	mu      sync.Mutex
	sum     hash.Hash
	out     io.Writer
	stories map[string][]string
	events  int
}

func newTrace(out io.Writer) *trace {
	return &trace{sum: sha256.New(), out: out, stories: map[string][]string{}}
}

// event notes that something happened to who and hashes it.
func (t *trace) event(who, format string, args ...any) {
	t.add(true, who, fmt.Sprintf(format, args...))
}

// note is event without the hash, for text that contains the name of a folder
// or comes in no fixed order.
func (t *trace) note(who, format string, args ...any) {
	t.add(false, who, fmt.Sprintf(format, args...))
}

func (t *trace) add(hashed bool, who, what string) {
	at := time.Now().UTC().Format("01-02 15:04:05.000000")
	line := at + " " + who + " " + what
	t.mu.Lock()
	defer t.mu.Unlock()
	if hashed {
		t.events++
		_, _ = io.WriteString(t.sum, line+"\n") // never fails
	}
	if !strings.Contains(what, "→ state") { // a heartbeat tells no story
		story := append(t.stories[who], line)
		if len(story) > 2*storyLines {
			story = append([]string(nil), story[storyLines:]...)
		}
		t.stories[who] = story
	}
	if t.out != nil {
		fmt.Fprintln(t.out, line)
	}
}

// hash returns the hash of all events so far, shortened.
func (t *trace) hash() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return hex.EncodeToString(t.sum.Sum(nil)[:8])
}

// story returns the newest lines of the actors, in their order.
func (t *trace) story(who ...string) []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var lines []string
	for _, w := range who {
		s := t.stories[w]
		lines = append(lines, s[max(0, len(s)-storyLines):]...)
	}
	return lines
}

// logTo is a slog.Handler that adds the program's own log to the story.
type logTo struct {
	t   *trace
	who string
}

// Enabled implements slog.Handler.
func (h logTo) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelInfo }

// Handle implements slog.Handler.
func (h logTo) Handle(_ context.Context, r slog.Record) error {
	var b strings.Builder
	fmt.Fprintf(&b, "log %s %q", r.Level, r.Message)
	r.Attrs(func(a slog.Attr) bool {
		fmt.Fprintf(&b, " %s=%v", a.Key, a.Value)
		return true
	})
	h.t.note(h.who, "%s", b.String())
	return nil
}

// WithAttrs implements slog.Handler; components are clear from the messages.
func (h logTo) WithAttrs([]slog.Attr) slog.Handler { return h }

// WithGroup implements slog.Handler.
func (h logTo) WithGroup(string) slog.Handler { return h }
