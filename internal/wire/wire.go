// Package wire is what devices and controller say to each other: topics,
// messages, documents, record bodies and reason codes.
//
// The broker in between is an untrusted, lossy, reordering pipe; no type here
// relies on it. Messages are JSON of at most MaxMessage bytes. Payloads are
// additive: a reader ignores unknown fields, absent means none unless a field
// says otherwise. Instants are integers with the unit in the name, always UTC.
// Values are safe for concurrent reading.
package wire

import (
	"fmt"
	"hash/fnv"
	"strings"
)

// Protocol is the version of everything in this package. History:
//
//	1  2026-11-23  first version
//	1  2026-11-23  added: Plan.StaleS and Default, Outcome.Default, reason exit,
//	               TimeState.OffMS, ComparedUS and SpanS
//	1  2026-11-23  added: records checkpoint, receipt and drop, Ack.Receipt,
//	               State.Receipt
//	1  2026-11-23  added: record incident
//	1  2026-11-23  added: kind root with RootOffer, path /trust/root/N,
//	               State.RootVersion, PlanOffer.Root, Root.ReleaseKeys and
//	               PastDirectorKeys
//	1  2026-11-23  added: State.Held, Plan.Recalled, ManifestClip.FromUS and UntilUS
//	1  2026-11-23  added: kind mute, Mute, State.Mute, reason muted
//	1  2026-11-23  added: Hello.Run
//	1  2026-11-23  added: PlanSlot.Urgent
//	1  2026-11-23  added: Plan.MaxVolumePct
//	1  2026-11-23  added: PlanSlot.Before, Intent.Before and Outcome.Before
const Protocol = 1

// Limits of one message.
const (
	MaxMessage      = 32 << 10 // bytes; larger documents go by hash over HTTPS
	MaxBatchRecords = 50
	MaxBatchBytes   = 16 << 10
	Shards          = 64
)

// DeviceID names one device for its whole life: "d" and 24 hex digits of the
// SHA-256 of its public key (SPKI), so that nobody can pick another's name.
type DeviceID string

// Valid reports whether d can stand in a topic.
func (d DeviceID) Valid() bool {
	if len(d) < 1 || len(d) > 64 {
		return false
	}
	for _, c := range d {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return false
		}
	}
	return true
}

// Kind is the last level of a topic.
type Kind string

// What a device publishes (up) and what it subscribes to (down).
const (
	KindHello   Kind = "hello"   // up: Hello, once a connection
	KindState   Kind = "state"   // up: State, on change and every few minutes; last will
	KindRecords Kind = "records" // up: Batch
	KindResult  Kind = "result"  // up: Result of a Command
	KindPlan    Kind = "plan"    // down: PlanOffer
	KindCommand Kind = "command" // down: envelope of Command
	KindAck     Kind = "ack"     // down: Ack
	KindTime    Kind = "time"    // down: envelope of TimeAnswer
	KindRoot    Kind = "root"    // down: RootOffer
	KindMute    Kind = "mute"    // down: envelope of Mute
)

const prefix = "gatecast/v1"

// Shard returns the ingest shard of a device, 0 to Shards−1: FNV-1a mod 64.
func Shard(d DeviceID) int {
	h := fnv.New32a()
	_, _ = h.Write([]byte(d)) // never fails
	return int(h.Sum32() % Shards)
}

// Up returns the topic on which d publishes kind.
func Up(d DeviceID, kind Kind) string {
	return fmt.Sprintf("%s/up/%02d/%s/%s", prefix, Shard(d), d, kind)
}

// Down returns the topic on which d hears kind.
func Down(d DeviceID, kind Kind) string {
	return fmt.Sprintf("%s/down/%s/%s", prefix, d, kind)
}

// UpFilter is the subscription of a controller that owns every shard.
const UpFilter = prefix + "/up/+/+/+"

// UpPattern and DownPattern are all topics that d may publish and hear.
func UpPattern(d DeviceID) string { return fmt.Sprintf("%s/up/%02d/%s/+", prefix, Shard(d), d) }

// DownPattern is the one subscription of a device.
func DownPattern(d DeviceID) string { return fmt.Sprintf("%s/down/%s/+", prefix, d) }

// ParseUp takes an up topic apart. It refuses a shard that is not the
// device's, an invalid device and an unknown kind.
func ParseUp(topic string) (DeviceID, Kind, error) {
	parts := strings.Split(topic, "/")
	if len(parts) != 6 || parts[0]+"/"+parts[1] != prefix || parts[2] != "up" {
		return "", "", fmt.Errorf("topic %q: not an up topic", topic)
	}
	d, kind := DeviceID(parts[4]), Kind(parts[5])
	if !d.Valid() {
		return "", "", fmt.Errorf("topic %q: invalid device", topic)
	}
	if parts[3] != fmt.Sprintf("%02d", Shard(d)) {
		return "", "", fmt.Errorf("topic %q: shard of another device", topic)
	}
	switch kind {
	case KindHello, KindState, KindRecords, KindResult:
		return d, kind, nil
	}
	return "", "", fmt.Errorf("topic %q: unknown kind", topic)
}

// ParseDown takes a down topic apart for the device it is meant for.
func ParseDown(topic string) (DeviceID, Kind, error) {
	parts := strings.Split(topic, "/")
	if len(parts) != 5 || parts[0]+"/"+parts[1] != prefix || parts[2] != "down" {
		return "", "", fmt.Errorf("topic %q: not a down topic", topic)
	}
	d, kind := DeviceID(parts[3]), Kind(parts[4])
	if !d.Valid() {
		return "", "", fmt.Errorf("topic %q: invalid device", topic)
	}
	switch kind {
	case KindPlan, KindCommand, KindAck, KindTime, KindRoot, KindMute:
		return d, kind, nil
	}
	return "", "", fmt.Errorf("topic %q: unknown kind", topic)
}
