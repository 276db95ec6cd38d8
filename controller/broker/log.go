package broker

import (
	"fmt"
	"log/slog"
	"strings"
	"sync"

	"github.com/nats-io/nats-server/v2/server"
)

// engineLog passes what the engine says to the controller's log. Its words
// are operands: they are not constant and may carry what a client sent.
type engineLog struct {
	logger  *slog.Logger
	refused func(Refusal) // told of refusals that only the engine notices

	mu   sync.Mutex
	last string // of Fatalf and Errorf
}

var _ server.Logger = (*engineLog)(nil)

func (l *engineLog) keep(format string, v []any) string {
	text := fmt.Sprintf(format, v...)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last = text
	return text
}

// reason returns the last error, for the caller of Start.
func (l *engineLog) reason() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.last == "" {
		return "no answer in time"
	}
	return l.last
}

// Noticef logs at debug: a connection is no news to the office.
func (l *engineLog) Noticef(format string, v ...any) {
	l.logger.Debug("engine", "text", fmt.Sprintf(format, v...))
}

// Warnf logs at info: nearly all of it is what clients did.
func (l *engineLog) Warnf(format string, v ...any) {
	l.logger.Info("engine", "text", fmt.Sprintf(format, v...))
}

// Errorf logs at info for the same reason: garbage on the port is one.
func (l *engineLog) Errorf(format string, v ...any) {
	text := l.keep(format, v)
	l.logger.Info("engine", "text", text)
	if r, ok := refusalIn(text); ok {
		l.refused(r)
	}
}

// Fatalf logs an error; Start reports it.
func (l *engineLog) Fatalf(format string, v ...any) {
	l.logger.Error("engine", "text", l.keep(format, v))
}

// Debugf is silent, and the engine calls it a few times a connection. One
// thing it says is of interest: somebody who speaks no TLS.
func (l *engineLog) Debugf(format string, v ...any) {
	if !strings.Contains(format, "TLS handshake error") {
		return
	}
	if r, ok := refusalIn(fmt.Sprintf(format, v...)); ok {
		l.refused(r)
	}
}

// Tracef is silent; it would log messages.
func (l *engineLog) Tracef(string, ...any) {}
