package wire

import (
	"fmt"
	"time"

	"gatecast/schedules"
)

// DocType is the type inside every signed document.
type DocType string

// The documents and who signs them.
const (
	DocRoot     DocType = "root"     // root role: keys and CA pins
	DocManifest DocType = "manifest" // library role: clips and ceilings
	DocPlan     DocType = "plan"     // director role: one device's slots
	DocTime     DocType = "time"     // director role
	DocCommand  DocType = "command"  // director role
	DocReceipt  DocType = "receipt"  // director role: what the controller holds of a journal
	DocExport   DocType = "export"   // director role: the table of contents of an export
	DocRevoked  DocType = "revoked"  // director role: a device that must not play any more
	DocAudit    DocType = "audit"    // director role: how far the controller's audit goes; no device reads it
	DocSlip     DocType = "slip"     // director role: the hash of one file that the office handed out; no device reads it
	DocMute     DocType = "mute"     // director role: a device that must be silent, or may sound again
)

// Header stands in every signed document; DSSE signs it with the rest.
type Header struct {
	Type      DocType  `json:"type"`
	Device    DeviceID `json:"device,omitempty"` // audience; empty means every device
	Version   uint64   `json:"version"`
	IssuedUS  int64    `json:"issued_us"`
	ExpiresUS int64    `json:"expires_us"` // 0 means never
}

// SlotID names a slot at a point: "<date>.<programme>.<slot key>".
type SlotID string

// PlayID names one play: "<slot>#<number from 1>". A device plays it at most once.
type PlayID string

// Plan is the materialised document of one device. Version grows by at least
// one with every new plan of the same device.
type Plan struct {
	Header
	Point     string    `json:"point"`
	PointName string    `json:"point_name"`
	Zone      string    `json:"zone"` // IANA name, of the ceilings and for display
	FromS     int64     `json:"from_s"`
	HorizonS  int64     `json:"horizon_s"` // silent from here on
	NeedLevel TimeLevel `json:"need_level"`
	// StaleS is after how many seconds without a word of the controller the
	// device plays only Default, in every slot; 0 means never. A device that
	// does not know the field goes on with the plan.
	StaleS  int64      `json:"stale_s,omitempty"`
	Default string     `json:"default,omitempty"` // one of Clips; empty: a stale plan is played on, and the device says so
	Clips   []string   `json:"clips"`             // SHA-256 of each clip's bytes
	Slots   []PlanSlot `json:"slots"`             // by start
	// Recalled are the SHA-256 of clips that must not sound and must not stay
	// on the disk, though the manifest may still allow them: the director can
	// only take away from what the library allows. Absent means none.
	Recalled []string `json:"recalled,omitempty"`
	// MaxVolumePct is the point's own volume ceiling in percent of the mixer,
	// below that of the manifest; the director can only take away. 0 means none.
	// A device that does not know the field keeps to the manifest's.
	MaxVolumePct int `json:"max_volume_pct,omitempty"`
}

// Receipt is the controller's signature under a part of a journal: it holds
// every record up to Upto that it acked, and that one has this hash. Receipts
// of a device are numbered from 1 by Version and chained by Prev. There is at
// most one for a journal and day.
type Receipt struct {
	Header
	Log   LogID  `json:"log"`
	Upto  Seq    `json:"upto"`
	Hash  string `json:"hash"`           // hex SHA-256 of record Upto
	Count int64  `json:"count"`          // records that the controller holds up to there
	Day   string `json:"day"`            // the office's date that it closes, 2006-01-02
	Prev  string `json:"prev,omitempty"` // hex SHA-256 of the envelope of the receipt before; empty for the first
}

// Revocation tells the one device in Header that it is not trusted any more:
// it falls silent for good. It never expires and is not taken back; a device
// that is to play again is enrolled anew, with a key of its own.
type Revocation struct {
	Header
	AtUS int64 `json:"at_us"` // when the office revoked it
}

// Mute tells one device to be silent, or that it may sound again. Version is
// its number: the highest one holds, over restarts too, and a lower one is
// refused, so that an old word cannot be said again. It is sent until the
// device says that it has it; a device that knows no such document plays on.
type Mute struct {
	Header
	On      bool  `json:"on"`
	SinceUS int64 `json:"since_us"`
	UntilUS int64 `json:"until_us,omitempty"` // silent up to here by trusted time; 0 means until another one says otherwise
}

// PlanSlot is a slot that sounds. Play k (from 0) starts at StartS + k×EveryS
// and sounds Clips[Playlist[k mod len(Playlist)]] of the plan.
type PlanSlot struct {
	ID       SlotID `json:"id"`
	Name     string `json:"name"`
	StartS   int64  `json:"start_s"`
	EndS     int64  `json:"end_s"` // no play starts here or later
	EveryS   int64  `json:"every_s"`
	Count    int    `json:"count"`
	Playlist []int  `json:"playlist"`
	// Before has an index for each of Playlist: the clip that it replaced. A play
	// that begins before the device has verified its clip sounds that one instead
	// of nothing; -1 and absent mean that there is none. An agent that does not
	// know the field skips such a play.
	Before []int   `json:"before,omitempty"`
	GraceS int64   `json:"grace_s"` // how late a play may start
	GainDB float64 `json:"gain_db,omitempty"`
	// Urgent says that the slot cuts in: what sounds makes way, no other play
	// starts while it lasts, and a device that comes late makes its plays up, one
	// after the other, until EndS. An agent that does not know the field plays it
	// like any other slot.
	Urgent bool `json:"urgent,omitempty"`
}

// Play is one planned sounding.
type Play struct {
	ID     PlayID
	Slot   SlotID
	At     time.Time
	Clip   string // SHA-256
	Before string // SHA-256 of the clip that sounds while Clip is not verified; empty for none
	Grace  time.Duration
	GainDB float64
	Urgent bool
}

// Plays expands s, a slot of p. A playlist index outside the plan's clips is
// an error: such a plan is refused as a whole.
func (p *Plan) Plays(s PlanSlot) ([]Play, error) {
	if s.Count < 0 || s.Count > 10_000 || (s.Count > 0 && len(s.Playlist) == 0) {
		return nil, fmt.Errorf("slot %q: %d plays of %d clips", s.ID, s.Count, len(s.Playlist))
	}
	plays := make([]Play, 0, s.Count)
	for k := range s.Count {
		i := s.Playlist[k%len(s.Playlist)]
		if i < 0 || i >= len(p.Clips) {
			return nil, fmt.Errorf("slot %q: clip %d of %d", s.ID, i, len(p.Clips))
		}
		before := ""
		if len(s.Before) > 0 {
			if len(s.Before) != len(s.Playlist) || s.Before[k%len(s.Before)] >= len(p.Clips) {
				return nil, fmt.Errorf("slot %q: clips before of %d do not fit %d", s.ID, len(s.Before), len(s.Playlist))
			}
			if b := s.Before[k%len(s.Before)]; b >= 0 {
				before = p.Clips[b]
			}
		}
		plays = append(plays, Play{
			ID:     PlayID(fmt.Sprintf("%s#%d", s.ID, k+1)),
			Slot:   s.ID,
			At:     time.Unix(s.StartS+int64(k)*s.EveryS, 0).UTC(),
			Clip:   p.Clips[i],
			Before: before,
			Grace:  time.Duration(s.GraceS) * time.Second,
			GainDB: s.GainDB,
			Urgent: s.Urgent,
		})
	}
	return plays, nil
}

// SlotFrom fills a PlanSlot from what schedules computed; playlist indexes
// are the caller's, in the order of s.Clips.
func SlotFrom(s schedules.Slot, playlist []int) PlanSlot {
	return PlanSlot{
		ID: SlotID(s.ID), Name: s.Name,
		StartS: s.Start.Unix(), EndS: s.End.Unix(),
		EveryS: int64(s.Every / time.Second), Count: s.Count,
		Playlist: playlist, GraceS: int64(s.Grace / time.Second), GainDB: s.Gain,
	}
}

// Manifest is what the library role allows to sound at all, on any device.
type Manifest struct {
	Header
	Clips    []ManifestClip `json:"clips"`
	Ceilings Ceilings       `json:"ceilings"`
}

// ManifestClip is one approved clip.
type ManifestClip struct {
	SHA256 string  `json:"sha256"`
	Title  string  `json:"title"`
	Bytes  int64   `json:"bytes"`
	Rate   int     `json:"rate"`
	Frames int64   `json:"frames"`
	GainDB float64 `json:"gain_db"` // brings the clip to the target loudness
	Silent bool    `json:"silent,omitempty"`
	// It may sound from FromUS on and before UntilUS; 0 means no bound. A
	// device that does not know the fields has only its plan to go by.
	FromUS  int64 `json:"valid_from_us,omitempty"`
	UntilUS int64 `json:"valid_until_us,omitempty"`
}

// Clip returns the approved clip with that hash.
func (m *Manifest) Clip(sha256 string) (ManifestClip, bool) {
	for _, c := range m.Clips {
		if c.SHA256 == sha256 {
			return c, true
		}
	}
	return ManifestClip{}, false
}

// Ceilings hold on the device whatever the director says. The zero value of a
// limit means that nothing is allowed, not that anything is.
type Ceilings struct {
	Zone            string        `json:"zone"`
	Allowed         []DailyWindow `json:"allowed"` // local time; no sound starts or lasts outside
	MaxGainDB       float64       `json:"max_gain_db"`
	MaxVolumePct    int           `json:"max_volume_pct"`
	MaxPlaysPerHour int           `json:"max_plays_per_hour"`
	MaxClipS        int64         `json:"max_clip_s"`
}

// DailyWindow is minutes after local midnight, First ≤ t < Last ≤ 1440.
type DailyWindow struct {
	FirstMin int `json:"first_min"`
	LastMin  int `json:"last_min"`
}
