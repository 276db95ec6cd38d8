package agent

import (
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"gatecast/agent/link"
	"gatecast/agent/walltime"
	"gatecast/audio/output"
	"gatecast/internal/durable"
)

// Options is what an agent needs. Start from DefaultOptions.
type Options struct {
	DataDir string    // everything the device keeps; made when missing
	Version string    // of the program
	Built   time.Time // when it was built: time is never before it; zero for unknown

	// How the device becomes a member, when it is not one yet.
	JoinLine  string   // as pasted; empty for none
	JoinFiles []string // files that may hold the line, the first that exists counts
	Host      string   // where the controller is now, when not where the device enrolled; name or address

	Sink       string                                // kind of output.Open
	Device     string                                // of that sink
	Volume     int                                   // of the mixer, percent, never above the signed ceiling; 0 leaves the mixer alone
	Server     string                                // of the pulse sink
	LeadIn     time.Duration                         // silence before each clip
	OpenOutput func(volume int) (output.Sink, error) // instead of Sink and Device; nil for those; as output.Options.Volume, negative for Most

	ReportJitter time.Duration // records and states wait a random time up to this
	FetchJitter  time.Duration // clips of a plan that is not due soon wait up to this
	Heartbeat    time.Duration // longest pause between two states

	// What the machine gives, for whoever runs agents without one; nil is the
	// real thing.
	Kernel walltime.KernelClock
	FS     durable.FS        // where DataDir is
	Dial   link.Dialer       // instead of MQTT over TLS
	HTTP   http.RoundTripper // instead of HTTPS, for enrolment too
	Rand   *rand.ChaCha8     // of jitter, nonces and names of logs; New draws from it, nobody later

	Logger *slog.Logger // nil discards
}

// DefaultOptions returns what a gate uses.
func DefaultOptions() Options {
	l := link.DefaultOptions()
	return Options{
		DataDir:      "/var/lib/gatecast-agent",
		Version:      "unknown",
		Sink:         output.ALSA,
		Volume:       60,
		ReportJitter: l.ReportJitter,
		FetchJitter:  l.FetchJitter,
		Heartbeat:    l.Heartbeat,
	}
}

func (o *Options) validate() error {
	switch {
	case o.DataDir == "":
		return errors.New("Options.DataDir is empty; it must be a folder")
	case o.Version == "":
		return errors.New("Options.Version is empty; it must name the program's version")
	case o.OpenOutput == nil && !slices.Contains(output.Kinds(), o.Sink):
		return fmt.Errorf("Options.Sink is %q; it must be one of %s", o.Sink, strings.Join(output.Kinds(), ", "))
	case o.OpenOutput == nil && o.Sink == output.File && o.Device == "":
		return errors.New("Options.Device is empty; the file sink needs a folder")
	case o.Volume < 0 || o.Volume > 100:
		return fmt.Errorf("Options.Volume is %d; it must be 0 to 100 percent", o.Volume)
	case o.LeadIn < 0 || o.LeadIn > 5*time.Second:
		return fmt.Errorf("Options.LeadIn is %s; it must be 0 to 5s", o.LeadIn)
	case o.ReportJitter < 0 || o.ReportJitter > time.Hour:
		return fmt.Errorf("Options.ReportJitter is %s; it must be 0 to 1h", o.ReportJitter)
	case o.FetchJitter < 0 || o.FetchJitter > time.Hour:
		return fmt.Errorf("Options.FetchJitter is %s; it must be 0 to 1h", o.FetchJitter)
	case o.Heartbeat < time.Second || o.Heartbeat > 24*time.Hour:
		return fmt.Errorf("Options.Heartbeat is %s; it must be 1s to 24h", o.Heartbeat)
	case strings.ContainsAny(o.Host, "/ @") || (strings.Contains(o.Host, ":") && net.ParseIP(o.Host) == nil):
		return fmt.Errorf("Options.Host is %q; it must be a name or an address without a port", o.Host)
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.OpenOutput == nil {
		sink, device, server, log := o.Sink, o.Device, o.Server, o.Logger
		o.OpenOutput = func(volume int) (output.Sink, error) {
			o := output.Options{Volume: max(volume, 0), KeepMixer: volume <= 0, Most: max(-volume, 0), Server: server, Logger: log}
			return output.Open(sink, device, o)
		}
	}
	return nil
}

// Dirs are the folders below DataDir, one for each part.
type Dirs struct {
	Identity, Time, Journal, Plan, Clips, Link string
}

// DirsOf returns the folders of an agent whose data is in dir.
func DirsOf(dir string) Dirs {
	at := func(name string) string { return filepath.Join(dir, name) }
	return Dirs{Identity: at("identity"), Time: at("time"), Journal: at("journal"), Plan: at("plan"), Clips: at("clips"), Link: at("link")}
}

// elsewhere returns hostPort with its host replaced, when host is not empty.
func elsewhere(hostPort, host string) string {
	if host == "" {
		return hostPort
	}
	_, port, err := net.SplitHostPort(hostPort)
	if err != nil {
		return hostPort
	}
	return net.JoinHostPort(host, port)
}
