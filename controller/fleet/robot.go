package fleet

import (
	"slices"
	"time"
)

// RobotID names a robot or a webhook.
type RobotID int64

// Platform is who takes a message in.
type Platform string

// The platforms.
const (
	WeCom    Platform = "wecom"    // 企业微信
	DingTalk Platform = "dingtalk" // 钉钉
	Feishu   Platform = "feishu"   // 飞书
	Webhook  Platform = "webhook"  // a program of the office's own
)

// Platforms is every platform, in the order in which they are offered.
var Platforms = []Platform{WeCom, DingTalk, Feishu, Webhook}

// Chat reports whether messages of p are read by people.
func (p Platform) Chat() bool { return p != Webhook }

// Feed is what a robot is told of; a webhook gets the occurrences themselves.
type Feed string

// The feeds.
const (
	FeedMissed    Feed = "missed"    // slots not played as owed
	FeedAlert     Feed = "alert"     // alerts of missed slots: when they are raised, and each morning how many are open
	FeedOffline   Feed = "offline"   // devices that went and stay offline
	FeedIncident  Feed = "incident"  // 安全事件
	FeedRelay     Feed = "relay"     // relay tasks past their time
	FeedFeedback  Feed = "feedback"  // units that have not filed the week's feedback, on Friday and Saturday
	FeedProgramme Feed = "programme" // programmes that were activated
	FeedClip      Feed = "clip"      // clips that were signed off
)

// Feeds is every feed, in the order in which a digest tells of them.
var Feeds = []Feed{FeedMissed, FeedAlert, FeedOffline, FeedIncident, FeedRelay, FeedFeedback, FeedProgramme, FeedClip}

// Kinds returns the occurrences that belong to a feed.
func (f Feed) Kinds() []OccurrenceKind {
	switch f {
	case FeedMissed:
		return []OccurrenceKind{OccurredVerdict}
	case FeedAlert:
		return []OccurrenceKind{OccurredAlert, OccurredAlertCall, OccurredAlertClosed, OccurredAlertsOpen}
	case FeedOffline:
		return []OccurrenceKind{OccurredOnline, OccurredOffline}
	case FeedIncident:
		return []OccurrenceKind{OccurredIncident}
	case FeedRelay:
		return []OccurrenceKind{OccurredRelay}
	case FeedFeedback:
		return []OccurrenceKind{OccurredFeedback}
	case FeedProgramme:
		return []OccurrenceKind{OccurredProgramme}
	case FeedClip:
		return []OccurrenceKind{OccurredClip}
	}
	return nil
}

// RobotTarget is what must not be seen of a robot: whoever has it writes into
// the group. It is stored sealed and shown nowhere.
type RobotTarget struct {
	URL     string   `json:"url"`
	Secret  string   `json:"secret,omitempty"`  // of the signature; empty where there is none
	Mobiles []string `json:"mobiles,omitempty"` // of members of the group who are mentioned
}

// Robot is a robot in a group chat, or a webhook.
type Robot struct {
	ID         RobotID
	Name       string
	Platform   Platform
	Host       string // host[:port] of the address, all of it that is shown
	Feeds      []Feed
	Keyword    string // that every message must hold, as the group demands; empty for none
	MentionAll bool
	Mobiles    int // how many persons are mentioned
	Created    time.Time
	CreatedBy  string       // login
	Paused     time.Time    // zero while it is sent to
	Told       OccurrenceID // the last one that is in a message
	Digest     time.Time    // when the last digest was written
	Hold       time.Time    // the platform asked for patience until then
	Tokens     float64      // left in the bucket at TokensAt
	TokensAt   time.Time
	Waiting    int // messages that wait
	Dead       int // and that were given up
}

// Kinds returns the occurrences that r is told of.
func (r Robot) Kinds() []OccurrenceKind {
	var all []OccurrenceKind
	for _, f := range r.Feeds {
		all = append(all, f.Kinds()...)
	}
	if r.Platform == Webhook {
		all = append(all, OccurredGap)
	}
	return all
}

// Reads reports whether r has the feed f.
func (r Robot) Reads(f Feed) bool { return slices.Contains(r.Feeds, f) }

// LetterID numbers messages.
type LetterID int64

// LetterKind is why a message is sent.
type LetterKind string

// The kinds of messages.
const (
	LetterDigest LetterKind = "digest"
	LetterTest   LetterKind = "test"   // a person pressed the button
	LetterEvents LetterKind = "events" // to a webhook
)

// LetterState is where a message stands.
type LetterState string

// The states of messages.
const (
	LetterWaiting LetterState = "waiting"
	LetterSent    LetterState = "sent"
	LetterDead    LetterState = "dead" // given up; a person may have it sent again
)

// LetterFault is why an attempt failed, by code; pages translate it.
type LetterFault string

// The faults. Those that time does not mend end the message at once.
const (
	FaultNone    LetterFault = ""
	FaultNetwork LetterFault = "network" // nobody answered, or not in time
	FaultServer  LetterFault = "server"  // the other side is out of order or busy
	FaultRate    LetterFault = "rate"    // too many messages; does not count as an attempt
	FaultSign    LetterFault = "sign"    // the signature, or the clock
	FaultKeyword LetterFault = "keyword" // none of the group's keywords is in the text
	FaultAddress LetterFault = "address" // the other side takes nothing from our address
	FaultKey     LetterFault = "key"     // no such robot, or it was removed or stopped
	FaultSize    LetterFault = "size"    // longer than the other side takes
	FaultRefused LetterFault = "refused" // for a reason of its own
	FaultConfig  LetterFault = "config"  // cannot be sent: the address is not allowed, or its key is missing
)

// LetterFaults is every fault.
var LetterFaults = []LetterFault{
	FaultNetwork, FaultServer, FaultRate, FaultSign, FaultKeyword, FaultAddress, FaultKey, FaultSize, FaultRefused, FaultConfig,
}

// Letter is one message on its way.
type Letter struct {
	ID       LetterID
	Robot    RobotID
	Kind     LetterKind
	Title    string
	Body     string // text, or the JSON of a webhook
	State    LetterState
	Created  time.Time
	Next     time.Time // not tried before
	Attempts int
	Tried    time.Time // last attempt; zero for none
	Ended    time.Time // sent or given up; zero while it waits
	Fault    LetterFault
	Answer   string // what the other side said, for operators
}

// LetterFilter selects messages. The zero value selects all.
type LetterFilter struct {
	Robot  RobotID
	State  LetterState
	Limit  int // 0 means no limit
	Offset int
}
