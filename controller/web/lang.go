package web

import (
	"embed"
	"fmt"
	"net/http"
	"strings"
	"time"

	"gatecast/controller/fleet"
)

//go:embed locale/*.json
var localeFiles embed.FS

const langCookie = "gatecast_lang"

// languages are the codes of the catalogs, the default first.
var languages = []string{"zh", "en"}

// lang speaks one language: texts, dates, durations, and the words for what
// devices and slots are at. Immutable.
type lang struct {
	code    string
	texts   catalog
	zone    *time.Location
	started time.Time // of the pages, see touch
}

func loadLanguages(zone *time.Location, started time.Time) (map[string]*lang, error) {
	all := map[string]*lang{}
	for _, code := range languages {
		data, err := localeFiles.ReadFile("locale/" + code + ".json")
		if err != nil {
			return nil, fmt.Errorf("reading catalog: %w", err)
		}
		texts, err := parseCatalog(data)
		if err != nil {
			return nil, fmt.Errorf("language %q: %w", code, err)
		}
		all[code] = &lang{code: code, texts: texts, zone: zone, started: started}
	}
	return all, nil
}

// Words returns the words of a catalog, for what speaks to people elsewhere than
// on a page. A key that the catalog lacks yields itself.
func Words(language string) (func(key string, args ...any) string, error) {
	all, err := loadLanguages(time.UTC, time.Time{})
	if err != nil {
		return nil, err
	}
	l, ok := all[language]
	if !ok {
		return nil, fmt.Errorf("there is no catalog %q", language)
	}
	return l.T, nil
}

// pickLang returns the language that the request asks for: ?lang=, then the
// cookie, then Chinese. The browser's own preference is not asked: an office
// machine with an English browser still serves Chinese readers.
// A choice by ?lang= is remembered in the cookie.
func (s *Server) pickLang(w http.ResponseWriter, r *http.Request) *lang {
	if l, ok := s.langs[r.URL.Query().Get("lang")]; ok {
		http.SetCookie(w, &http.Cookie{
			Name: langCookie, Value: l.code, Path: "/", MaxAge: 365 * 24 * 3600,
			HttpOnly: true, Secure: secure(r), SameSite: http.SameSiteLaxMode,
		})
		return l
	}
	if c, err := r.Cookie(langCookie); err == nil {
		if l, ok := s.langs[c.Value]; ok {
			return l
		}
	}
	return s.langs[languages[0]]
}

// T returns the text of key with args filled in. A key that the catalog lacks
// shows as itself; a test makes sure that none does.
func (l *lang) T(key string, args ...any) string {
	m, ok := l.texts[key]
	if !ok {
		return key
	}
	return m.format(args)
}

// Has reports whether the catalog has key.
func (l *lang) Has(key string) bool {
	_, ok := l.texts[key]
	return ok
}

// HTMLTag is the value of the lang attribute.
func (l *lang) HTMLTag() string {
	if l.code == "zh" {
		return "zh-CN"
	}
	return l.code
}

// Error returns the user's sentence of err in this language; ok is false when
// there is none.
func (l *lang) Error(err *fleet.Error) string {
	if l.code == "en" && err.TextEN != "" {
		return err.TextEN
	}
	return err.Text
}

func (l *lang) in(t time.Time) time.Time { return t.In(l.zone) }

// Weekday is 一 or Mon.
func (l *lang) Weekday(t time.Time) string {
	return l.T("weekday." + strings.ToLower(l.in(t).Weekday().String()[:3]))
}

// Date is 11月23日 or 23 Nov.
func (l *lang) Date(t time.Time) string {
	if t.IsZero() {
		return l.T("none")
	}
	t = l.in(t)
	return l.T("date.short", int(t.Month()), t.Day(), t.Month().String()[:3])
}

// Clock is 18:05.
func (l *lang) Clock(t time.Time) string {
	if t.IsZero() {
		return l.T("none")
	}
	return l.in(t).Format("15:04")
}

// ClockSec is 18:05:09.
func (l *lang) ClockSec(t time.Time) string {
	if t.IsZero() {
		return l.T("none")
	}
	return l.in(t).Format("15:04:05")
}

// Stamp is 11-23 18:05, with the year where it is not that of now.
func (l *lang) Stamp(t, now time.Time) string {
	if t.IsZero() {
		return l.T("none")
	}
	t = l.in(t)
	if t.Year() != l.in(now).Year() {
		return t.Format("2006-01-02 15:04")
	}
	return t.Format("01-02 15:04")
}

// Span is a duration in its two largest units: 2 天 1 小时, 9 秒.
func (l *lang) Span(d time.Duration) string {
	if d < 0 {
		d = -d
	}
	days, hours := int(d/(24*time.Hour)), int(d/time.Hour)%24
	minutes, seconds := int(d/time.Minute)%60, int(d/time.Second)%60
	switch {
	case days > 0 && hours > 0:
		return l.T("span.dh", days, hours)
	case days > 0:
		return l.T("span.d", days)
	case hours > 0 && minutes > 0:
		return l.T("span.hm", hours, minutes)
	case hours > 0:
		return l.T("span.h", hours)
	case minutes >= 10 || (minutes > 0 && seconds == 0):
		return l.T("span.m", minutes)
	case minutes > 0:
		return l.T("span.ms", minutes, seconds)
	}
	return l.T("span.s", seconds)
}

// Length is how long a clip sounds: 0:27.
func (l *lang) Length(d time.Duration) string {
	s := int(d.Round(time.Second) / time.Second)
	return fmt.Sprintf("%d:%02d", s/60, s%60)
}

// Rate is 94.2%, or — where there is nothing to divide by.
func (l *lang) Rate(rate float64, ok bool) string {
	if !ok {
		return l.T("none")
	}
	return fleet.Percent(rate, ok)
}

// Day is the date of a ledger row as a time at noon in the zone; zero when
// the row's text is no date.
func (l *lang) Day(d fleet.Day) time.Time {
	t, err := time.ParseInLocation("2006-01-02", string(d), l.zone)
	if err != nil {
		return time.Time{}
	}
	return t.Add(12 * time.Hour)
}
