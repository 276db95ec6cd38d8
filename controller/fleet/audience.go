package fleet

import (
	"slices"
	"strings"
)

// The audiences of a clip. A clip may have several, joined by 、.
const (
	AudienceAdults   = "20–50岁" // who is deceived most easily
	AudienceElderly  = "老年"
	AudienceStudents = "学生/家长"
	AudienceEveryone = "通用"
)

// Audiences is every audience, in the order in which they are offered.
var Audiences = []string{AudienceAdults, AudienceElderly, AudienceStudents, AudienceEveryone}

// ScamTypes is every type of scam that clips are tagged with.
var ScamTypes = []string{
	"刷单返利", "虚假投资理财", "虚假购物服务", "冒充客服", "虚假贷款", "虚假征信", "冒充领导熟人",
	"冒充公检法", "婚恋交友", "游戏交易", "两卡", "养老/保健", "其他/综合",
}

// Tags splits a list of tags.
func Tags(list string) []string {
	words := strings.FieldsFunc(list, func(r rune) bool { return strings.ContainsRune(",，、;；", r) })
	for i, w := range words {
		words[i] = strings.TrimSpace(w)
	}
	return words
}

// DefaultShare is the share of plays, in percent, that are to speak to those of
// 20 to 50.
const DefaultShare = 60

// PlannedPlays is how often clips with these tags are planned.
type PlannedPlays struct {
	Audience string // of the clip
	Plays    int
}

// Share says how many of the planned plays speak to whom.
type Share struct {
	Plays  int // all
	Adults int // of clips tagged 20–50岁
	Meant  int // of clips tagged 20–50岁 or 通用
}

// ShareOf sums up. A clip with several audiences counts once; one without any
// counts among all and for nobody.
func ShareOf(planned []PlannedPlays) Share {
	var s Share
	for _, p := range planned {
		s.Plays += p.Plays
		tags := Tags(p.Audience)
		switch {
		case slices.ContainsFunc(tags, adults):
			s.Adults += p.Plays
			s.Meant += p.Plays
		case slices.Contains(tags, AudienceEveryone):
			s.Meant += p.Plays
		}
	}
	return s
}

// adults knows the tag however its dash and sign are written.
func adults(tag string) bool {
	return strings.NewReplacer("-", "–", "—", "–", "－", "–", " ", "").Replace(strings.TrimSuffix(tag, "岁")) == strings.TrimSuffix(AudienceAdults, "岁")
}

// Percent returns the share of Meant in whole percent, rounded down so that a
// target is never reached by rounding; ok is false where nothing is planned.
func (s Share) Percent() (percent int, ok bool) {
	if s.Plays == 0 {
		return 0, false
	}
	return 100 * s.Meant / s.Plays, true
}

// Week is what is planned for some days.
type Week struct {
	Plays   []PlannedPlays // the most first
	Windows []Window       // of slots, the earliest first
}

// Window is a part of a day in minutes since midnight.
type Window struct{ From, To int }

// TooShortFor returns the windows in which something of so many minutes cannot
// be played to its end.
func (w Week) TooShortFor(minutes float64) []Window {
	var short []Window
	for _, at := range w.Windows {
		if minutes > float64(at.To-at.From) {
			short = append(short, at)
		}
	}
	return short
}
