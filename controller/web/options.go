package web

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/netip"
	"net/url"
	"time"

	"gatecast/controller/assessment"
	"gatecast/controller/auth"
	"gatecast/controller/bulletin"
	"gatecast/controller/fleet"
	"gatecast/controller/relay"
	"gatecast/internal/wire"
	"gatecast/schedules"
)

// Registry is what the pages read of places and people. A point that does not
// exist yields an error of code fleet.NotFound.
type Registry interface {
	Units(ctx context.Context) ([]fleet.Unit, error)
	Compounds(ctx context.Context) ([]fleet.Compound, error)
	Liaisons(ctx context.Context) ([]fleet.Liaison, error)
	Points(ctx context.Context, f fleet.PointFilter) ([]fleet.Point, error)
	Point(ctx context.Context, id fleet.PointID) (fleet.Point, error)
}

// Scopes are the points that one account may see.
type Scopes interface {
	PointsIn(ctx context.Context, scope fleet.Scope) ([]fleet.Point, error)
	// PointIn returns a point in scope; fleet.NotFound for any other.
	PointIn(ctx context.Context, scope fleet.Scope, id fleet.PointID) (fleet.Point, error)
}

// PointSettings is what the pages change at a point.
type PointSettings interface {
	// SetPointNeedSync says whether nothing may sound below wire.T2; the point's
	// device is told.
	SetPointNeedSync(ctx context.Context, id fleet.PointID, on bool) error
}

// Devices is what the pages read of devices.
type Devices interface {
	Devices(ctx context.Context) ([]fleet.Device, error)
	// DeviceOfPoint returns the active device; fleet.NotFound if there is none.
	DeviceOfPoint(ctx context.Context, id fleet.PointID) (fleet.Device, error)
}

// Admission is what a person at the gate and the office decide about devices.
// Refusals are *fleet.Errors.
type Admission interface {
	// TestTone has a device that waits to be accepted sound for five seconds and
	// returns when it has.
	TestTone(ctx context.Context, id wire.DeviceID) error
	// Accept lets a device play that by has heard; its latest tone must have
	// sounded whole.
	Accept(ctx context.Context, id wire.DeviceID, by string) error
	// NotHeard notes that nothing was heard; another tone is needed.
	NotHeard(ctx context.Context, id wire.DeviceID) error
	// Revoke ends the trust in a device for good and closes its connection.
	Revoke(ctx context.Context, id wire.DeviceID) error
}

// Ledger is what was owed and how it was settled.
type Ledger interface {
	Obligations(ctx context.Context, f fleet.ObligationFilter) ([]fleet.Obligation, error)
	// Obligation returns one row; fleet.NotFound or fleet.Invalid if there is none.
	Obligation(ctx context.Context, id fleet.PointID, slot wire.SlotID) (fleet.Obligation, error)
	Summary(ctx context.Context, q fleet.SummaryQuery) ([]fleet.SummaryRow, error)
	RecordsOfSlot(ctx context.Context, id fleet.PointID, slot wire.SlotID) ([]fleet.Record, error)
	// PlaysOfPoint returns the latest outcomes of a point, the latest first.
	PlaysOfPoint(ctx context.Context, id fleet.PointID, limit int) ([]fleet.Record, error)
}

// Figures is what a period says, and when the office itself was away.
type Figures interface {
	UnitFigures(ctx context.Context, q fleet.FiguresQuery) ([]fleet.UnitFigures, error)
	Slots(ctx context.Context, q fleet.SlotQuery) ([]fleet.Obligation, error)
	Outages(ctx context.Context, from, to time.Time) ([]fleet.Outage, error)
}

// Clips is the clip library.
type Clips interface {
	Clips(ctx context.Context) ([]fleet.Clip, error)
	Clip(ctx context.Context, id fleet.ClipID) (fleet.Clip, error)
	// ClipsWaiting counts the clips that login could sign off if they may sign at all.
	ClipsWaiting(ctx context.Context, login string) (int, error)
}

// Approvals is the way of clips between upload and loudspeaker.
type Approvals interface {
	// DecideClip takes one step by the rules of fleet.Clip.Decide, and has devices
	// told what follows. Refusals are *fleet.Errors.
	DecideClip(ctx context.Context, id fleet.ClipID, d fleet.ClipDecision) (fleet.Clip, error)
	ClipEvents(ctx context.Context, id fleet.ClipID) ([]fleet.ClipEvent, error) // oldest first
	// ClipPurges lists who had to delete a clip at its latest recall.
	ClipPurges(ctx context.Context, id fleet.ClipID) ([]fleet.ClipPurge, error)
	// HearClip keeps that login fetched the audio; HeardClip asks for it.
	HearClip(ctx context.Context, id fleet.ClipID, login string, now time.Time) error
	HeardClip(ctx context.Context, id fleet.ClipID, login string) (bool, error)
}

// ClipInfo is what the office says about an upload; every field may be empty.
type ClipInfo struct {
	Name     string // short name that programmes use
	Title    string
	ScamType string
	Audience string
	Text     string

	ValidFrom, ValidUntil fleet.Day // days on which it may sound, both included

	Spoken string           // 朗读文本
	Source fleet.ClipSource // empty means a file
	First  fleet.ClipID     // it is a new version of this clip; 0 for a new one
}

// Library is what the pages ask of the library besides single clips.
type Library interface {
	ClipPage(ctx context.Context, q fleet.ClipQuery) (clips []fleet.Clip, all int, err error)
	ClipTypes(ctx context.Context) ([]string, error) // scam types that clips have
	// ClipVersions returns every version of a clip, the newest first.
	ClipVersions(ctx context.Context, id fleet.ClipID) ([]fleet.Clip, error)
	TagClip(ctx context.Context, id fleet.ClipID, tags fleet.ClipTags) error
}

// Reels are the recordings that are too long for a clip. Refusals are
// *fleet.Errors.
type Reels interface {
	Reels(ctx context.Context) ([]fleet.Reel, error) // that can be cut, newest first
	Reel(ctx context.Context, id fleet.ReelID) (fleet.Reel, error)
	// Excerpt returns a part as FLAC, to listen before it is cut.
	Excerpt(ctx context.Context, id fleet.ReelID, part fleet.Stretch) (io.ReadSeeker, error)
	// Cut makes a draft of a part; with clip.Long the part may be longer than
	// clips are.
	Cut(ctx context.Context, id fleet.ReelID, part fleet.Stretch, clip fleet.Clip) (fleet.Clip, error)
	EndReel(ctx context.Context, id fleet.ReelID, now time.Time) error
}

// Transfers are uploads that arrive piece by piece. Refusals are *fleet.Errors.
type Transfers interface {
	// Begin announces a file, or finds the one that was announced and not finished.
	Begin(owner, file, mark string, size int64) (fleet.Part, error)
	Part(owner, id string) (fleet.Part, error)
	// Append adds what r yields at an offset and says how much there is then, also
	// with an error.
	Append(ctx context.Context, owner, id string, offset int64, r io.Reader) (fleet.Part, error)
	// Take hands the whole file to fn and forgets it.
	Take(owner, id string, fn func(io.Reader, fleet.Part) error) error
	Drop(owner, id string) error
}

// Settings are values that the office sets.
type Settings interface {
	Setting(ctx context.Context, key string) (string, error) // "" if it was never set
	SetSetting(ctx context.Context, key, value string) error
}

// Note is something to know about an upload that was taken.
type Note struct{ Text, TextEN string }

// Media takes audio in and gives it back.
type Media interface {
	// Ingest reads one upload to its end or to the limit of size, and adds it to
	// the library. A file that is refused yields a *fleet.Error with the reason.
	Ingest(ctx context.Context, file string, r io.Reader, info ClipInfo, by string) (fleet.Clip, []Note, error)
	// Open returns the delivery form of a clip.
	Open(sha256 string) (io.ReadSeekCloser, error)
}

// Programmes are the versions of what the office wrote.
type Programmes interface {
	Programmes(ctx context.Context) ([]fleet.Programme, error)
	Programme(ctx context.Context, id fleet.ProgrammeID) (fleet.Programme, error)
}

// Problem is one thing wrong with, or worth knowing about, a programme.
type Problem struct {
	Line     int    // from 1; 0 where there is none
	Key      string // path of the key, empty for the file as a whole
	Text     string
	TextEN   string
	Blocking bool // the programme cannot be activated
}

// Change is what an activation would do or did.
type Change struct {
	Points               int // that owe slots
	Devices              int // that get a new plan
	Slots                int // owed in the horizon, silenced ones included
	Silenced             int
	Added, Removed, Kept int // future slots owed, against the programmes in force
	Altered              int // of Kept: other times, plays or silence than before
	From, To             time.Time
}

// Planner checks, previews and activates programmes.
type Planner interface {
	// Upload stores a version as a draft; its ID is 0 where the problems forbid
	// even that.
	Upload(ctx context.Context, file string, yaml []byte, by string, now time.Time) (fleet.Programme, []Problem, error)
	// Preview returns what yaml alone would put at the points, silenced slots
	// included, by start; nil where its problems forbid that.
	Preview(ctx context.Context, file string, yaml []byte, points []fleet.PointID, from schedules.Date, days int, now time.Time) (map[fleet.PointID][]schedules.Slot, []Problem, error)
	WhatIf(ctx context.Context, id fleet.ProgrammeID, now time.Time) (Change, error)
	Activate(ctx context.Context, id fleet.ProgrammeID, now time.Time) (Change, error)
}

// JoinCodes is where codes for new devices are kept, by hash.
type JoinCodes interface {
	// JoinCodes returns the codes of one point, of all points for 0, newest first.
	JoinCodes(ctx context.Context, id fleet.PointID) ([]fleet.JoinCode, error)
	// JoinCode returns the code with that hash; fleet.NotFound if there is none.
	JoinCode(ctx context.Context, hash string) (fleet.JoinCode, error)
	AddJoinCode(ctx context.Context, c fleet.JoinCode) error
}

// Trust makes join codes and the line an installer pastes.
type Trust interface {
	NewJoinCode() (code, hash string)
	// HashCode returns the hash of a code as somebody typed it; what cannot be a
	// code is an error.
	HashCode(code string) (string, error)
	JoinLine(code string) string // names the controller and the hash of its trust root
}

// Certificates is what can be compared and installed of this server's TLS.
type Certificates interface {
	// Fingerprints returns the SHA-256 of the certificate that browsers see and
	// of the controller's own CA, empty where that did not issue it.
	Fingerprints() (page, ca string)
	// CA returns the certificate of the controller's own CA in DER.
	CA() []byte
}

// Tokens keeps the tokens of the API.
type Tokens interface {
	Tokens(ctx context.Context) ([]fleet.Token, error) // newest first
	AddToken(ctx context.Context, t fleet.Token) (fleet.TokenID, error)
	RevokeToken(ctx context.Context, id fleet.TokenID, by string, at time.Time) (fleet.Token, error)
	Users(ctx context.Context) ([]fleet.User, error)
}

// Audit keeps who did what.
type Audit interface {
	AddAudit(ctx context.Context, a fleet.Audit) error
	Audits(ctx context.Context, limit int) ([]fleet.Audit, error) // newest first
}

// Publications are the sealed periods. Refusals are *fleet.Errors.
type Publications interface {
	// Publish seals the sums of a period as they stand.
	Publish(ctx context.Context, p fleet.Publication) (fleet.Publication, error)
	Publications(ctx context.Context) ([]fleet.Publication, error) // newest first
	// Published returns one with all that belongs to it; fleet.NotFound if there is none.
	Published(ctx context.Context, id fleet.PublicationID) (fleet.PublishedPeriod, error)
	// Amend signs what changed since; fleet.Conflict if nothing did.
	Amend(ctx context.Context, a fleet.Amendment) (fleet.Amendment, error)
}

// Losses are the records that could not be taken and those that nobody has.
type Losses interface {
	DeadLetters(ctx context.Context, f fleet.DeadFilter) ([]fleet.DeadLetter, error)
	DeadCounts(ctx context.Context) ([]fleet.DeadCount, error)
	Gaps(ctx context.Context, id fleet.PointID) ([]fleet.Gap, error)
}

// Recovery is what happens after the database was restored from a backup.
type Recovery interface {
	Restores(ctx context.Context) ([]fleet.Restore, error) // newest first
	// ConfirmPlans lets the devices that wait for a person have plans again and
	// returns how many they are.
	ConfirmPlans(ctx context.Context, now time.Time) (int, error)
}

// Options of a Server. The interfaces, Logins, Logger and Zone are required.
type Options struct {
	Backups    Backups
	Registry   Registry
	Scopes     Scopes
	Points     PointSettings
	Register   Register
	Sites      Sites
	Rosters    Rosters
	Devices    Devices
	Admission  Admission
	Ledger     Ledger
	Figures    Figures
	Proofs     Proofs
	Clips      Clips
	Approvals  Approvals
	Media      Media
	Library    Library
	Reels      Reels
	Transfers  Transfers
	Settings   Settings
	Programmes Programmes
	Planner    Planner
	Almanac    Almanac
	Holidays   Holidays
	Outlook    Outlook
	Drafts     Drafts
	JoinCodes  JoinCodes
	Trust      Trust
	Audit      Audit
	AuditBook  AuditBook

	Evidence       Evidence
	Publications   Publications
	Losses         Losses
	Recovery       Recovery
	Keys           Keys // nil means an office without pages about keys
	Incidents      Incidents
	Alerts         Alerts
	Inspections    Inspections
	InspectionDesk InspectionDesk
	Robots         Robots // nil means an office without robots and webhooks
	Mutes          Mutes
	Urgent         UrgentDesk
	Insertions     Insertions
	Groups         Groups
	GroupBook      GroupBook
	Relay          *relay.Desk
	Bulletins      *bulletin.Desk
	WeekFigures    WeekFigures
	Feedback       Feedback
	FeedbackBook   FeedbackBook
	BulletinBook   BulletinBook
	RelayBook      RelayBook
	Deductions     *assessment.Desk
	DeductionBook  DeductionBook
	Ceilings       wire.Ceilings // what the signed envelope allows, for warnings
	Speech         Speech
	Utterances     Utterances
	RosterDesk     RosterDesk
	Slips          Slips
	SlipSigner     SlipSigner

	QuietRules  QuietRules
	UrgentTexts UrgentTexts
	Forward     Forwarder        // nil means that nothing is passed on to groups
	Quiet       fleet.QuietHours // the zero value means fleet.DefaultQuietHours

	Dispatch      DispatchDesk
	Replacements  Replacements
	Complaints    Complaints
	ComplaintDesk ComplaintDesk
	Plans         Plans
	Calibrations  Calibrations

	Logins *auth.Logins
	Events *Hub // nil means that pages are refreshed by the clock only
	Logger *slog.Logger
	Zone   *time.Location // of days and times on every page

	// Week returns what is planned for so many days from today on.
	Week func(ctx context.Context, days int, now time.Time) (fleet.Week, error)

	// OnAttack hears of attempts at the pages that somebody should know of; it
	// must not block. nil means that nobody wants to.
	OnAttack func(fleet.Incident)

	// Trouble returns why nothing can be stored at present, nil when it can; a
	// *fleet.Error has the words for it. nil means that it always can.
	Trouble func() error

	AdminAddresses []netip.Prefix // from where accounts, settings and audit may be opened; none means from everywhere
	TrustedProxies []netip.Prefix // whose X-Forwarded-For is believed
	Insist         bool           // on TLS: the certificate is one that every browser knows
	Tokens         Tokens         // nil means that there is no API
	Certificates   Certificates   // nil means that there is no TLS here

	// Retention and ErasePhone are told to those who ask: how long the audit is
	// kept, and the number of somebody who left. 0 means the defaults.
	Retention  time.Duration
	ErasePhone time.Duration

	Name      string           // of the office, where the registry has no subdistrict yet
	PublicURL string           // how phones reach the pages, e.g. https://gatecast.example.org; empty means as the office did
	Version   string           // shown at the foot of every page
	Demo      bool             // says on every page that the data are invented
	Now       func() time.Time // nil means time.Now; tests show a known day
}

func (o *Options) validate() error {
	switch {
	case o.Backups == nil:
		return errors.New("web options: Backups is required")
	case o.RosterDesk == nil:
		return errors.New("web options: RosterDesk is required")
	case o.Registry == nil, o.Scopes == nil, o.Points == nil, o.Devices == nil, o.Admission == nil, o.Ledger == nil, o.Figures == nil, o.Proofs == nil:
		return errors.New("web options: Registry, Scopes, Points, Devices, Admission, Ledger, Figures and Proofs are required")
	case o.Register == nil, o.Sites == nil, o.Rosters == nil:
		return errors.New("web options: Register, Sites and Rosters are required")
	case o.Clips == nil, o.Approvals == nil, o.Media == nil, o.Programmes == nil, o.Planner == nil:
		return errors.New("web options: Clips, Approvals, Media, Programmes and Planner are required")
	case o.Library == nil, o.Reels == nil, o.Transfers == nil, o.Settings == nil, o.Week == nil:
		return errors.New("web options: Library, Reels, Transfers, Settings and Week are required")
	case o.Almanac == nil, o.Holidays == nil, o.Outlook == nil, o.Drafts == nil:
		return errors.New("web options: Almanac, Holidays, Outlook and Drafts are required")
	case o.JoinCodes == nil, o.Trust == nil, o.Audit == nil, o.AuditBook == nil:
		return errors.New("web options: JoinCodes, Trust, Audit and AuditBook are required")
	case o.Publications == nil, o.Losses == nil, o.Recovery == nil, o.Evidence == nil, o.Incidents == nil:
		return errors.New("web options: Publications, Losses, Recovery, Evidence and Incidents are required")
	case o.Inspections == nil || o.InspectionDesk == nil:
		return errors.New("web options: Inspections and InspectionDesk are required")
	case o.Alerts == nil:
		return errors.New("web options: Alerts is required")
	case o.Mutes == nil, o.Urgent == nil, o.Insertions == nil:
		return errors.New("web options: Mutes, Urgent and Insertions are required")
	case o.Speech == nil, o.Utterances == nil, o.QuietRules == nil, o.UrgentTexts == nil:
		return errors.New("web options: Speech, Utterances, QuietRules and UrgentTexts are required")
	case o.Dispatch == nil, o.Replacements == nil, o.Complaints == nil, o.ComplaintDesk == nil, o.Plans == nil, o.Calibrations == nil:
		return errors.New("web options: Dispatch, Replacements, Complaints, ComplaintDesk, Plans and Calibrations are required")
	case o.Groups == nil, o.GroupBook == nil, o.Relay == nil, o.RelayBook == nil:
		return errors.New("web options: Groups, GroupBook, Relay and RelayBook are required")
	case o.WeekFigures == nil, o.Feedback == nil, o.FeedbackBook == nil:
		return errors.New("web options: WeekFigures, Feedback and FeedbackBook are required")
	case o.Deductions == nil, o.DeductionBook == nil:
		return errors.New("web options: Deductions and DeductionBook are required")
	case o.Bulletins == nil, o.BulletinBook == nil:
		return errors.New("web options: Bulletins and BulletinBook are required")
	case o.Slips == nil, o.SlipSigner == nil:
		return errors.New("web options: Slips and SlipSigner are required")
	case o.Logins == nil, o.Logger == nil, o.Zone == nil:
		return errors.New("web options: Logins, Logger and Zone are required")
	}
	if o.PublicURL != "" {
		u, err := url.Parse(o.PublicURL)
		if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || (u.Path != "" && u.Path != "/") {
			return errors.New("web options: PublicURL must be http:// or https:// and a host, without a path")
		}
	}
	if o.Quiet == (fleet.QuietHours{}) {
		o.Quiet = fleet.DefaultQuietHours()
	}
	if o.Retention <= 0 {
		o.Retention = fleet.DefaultRetention
	}
	if o.ErasePhone <= 0 {
		o.ErasePhone = fleet.DefaultErasePhone
	}
	if o.OnAttack == nil {
		o.OnAttack = func(fleet.Incident) {}
	}
	if o.Trouble == nil {
		o.Trouble = func() error { return nil }
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return nil
}
