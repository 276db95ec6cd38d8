package web

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"

	"golang.org/x/net/html"

	"gatecast/controller/fleet"
	"gatecast/controller/naming"
	"gatecast/controller/speech"
	"gatecast/internal/wire"
	"gatecast/schedules"
)

func loadTestLanguages(t *testing.T) map[string]*lang {
	t.Helper()
	all, err := loadLanguages(shanghai, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestCatalogsAgree(t *testing.T) {
	all := loadTestLanguages(t)
	zh, en := all["zh"].texts, all["en"].texts
	for key, m := range zh {
		other, ok := en[key]
		if !ok {
			t.Errorf("en lacks %q", key)
			continue
		}
		if !strings.HasPrefix(key, "date.") && !maps.Equal(m.arguments(), other.arguments()) {
			t.Errorf("%q uses arguments %v in zh, %v in en", key, m.arguments(), other.arguments())
		}
		if len(m) == 0 || len(other) == 0 {
			t.Errorf("%q is empty", key)
		}
	}
	for key := range en {
		if _, ok := zh[key]; !ok {
			t.Errorf("zh lacks %q", key)
		}
	}
}

func TestCatalogsSpeakTheirLanguage(t *testing.T) {
	all := loadTestLanguages(t)
	for key, m := range all["en"].texts {
		if text := m.format([]any{"0", "1", "2", "3"}); key != "language.other" && hasHan(text) {
			t.Errorf("en %q has Chinese in it: %q", key, text)
		}
	}
	for key, m := range all["zh"].texts {
		for _, s := range m {
			if strings.ContainsAny(s.lit, "!！") {
				t.Errorf("zh %q exclaims: %q", key, s.lit)
			}
		}
	}
}

func hasHan(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return unicode.Is(unicode.Han, r) })
}

// families are keys made of a prefix and a value known to the code; every
// value must have a text.
func families() map[string][]string {
	f := map[string][]string{
		"backups.bad.":   {string(fleet.BackupWrite), string(fleet.BackupCheck), string(fleet.BackupCopy)},
		"verdict.":       {"now"},
		"grade.":         {"A", "B", "C", "D"},
		"kind.":          {string(fleet.Gate), string(fleet.Horn), string(fleet.Indoors)},
		"weekday.":       {"mon", "tue", "wed", "thu", "fri", "sat", "sun"},
		"points.state.":  pointStates,
		"device.row.":    {"plan", "hash", "clips", "horizon", "time", "drift", "unacked"},
		"device.time.t":  {"0", "1", "2"},
		"result.":        {"played", "partial", "failed", "skipped", "doubt", "other"},
		"record.":        {"boot", "intent", "outcome", "plan", "clock", "gap", "stop", "checkpoint", "receipt", "drop", "other"},
		"broken.":        {"badreceipt", "chain", "disputed", "forged", "fork", "stranger"},
		"done.":          {"token_revoked", "incident", "password", "programme", "activated", "published", "amended", "confirmed", "signed", "sessions", "code_off", "rules", "user", "unlocked", "code_reset"},
		"period.":        {"today", "yesterday", "week", "last_week", "month", "last_month", "year"},
		"compliance.by_": {string(fleet.ByUnit), string(fleet.ByCompound), string(fleet.ByPoint)},
		"outage.":        {string(fleet.OutageController), string(fleet.OutageBroker), string(fleet.OutageNetwork), string(fleet.OutageRestored)},
		"tag.":           append(slices.Clone(fleet.ScamTypes), fleet.Audiences...),
		"weekday.short.": {"mon", "tue", "wed", "thu", "fri", "sat", "sun"},
	}
	f["clip.source."] = []string{string(fleet.SourceUpload), string(fleet.SourceSpoken), string(fleet.SourceRecorded), string(fleet.SourceCut)}
	f["rostercheck.did."] = []string{string(fleet.DidAdd), string(fleet.DidChange)}
	registerFamilies(f)
	f["mute.reason."], f["mute.until."] = slices.Clone(muteReasons), []string{"open", "1h", "day"}
	f["mute.approved."], f["mute.banner"], f["mute.sum"] = []string{"true", "false"}, []string{"", ".some"}, []string{"", ".lifted"}
	f["done."] = append(f["done."], "muted", "unmuted", "mute_approved", "urgent", "urgent_signed", "urgent_ended", "spoken", "recorded", "urgent_text", "urgent_unrelayed")
	f["done."] = append(f["done."], "robot_added", "robot_test", "robot_paused", "robot_runs", "robot_removed", "letter_resent", "letter_dropped")
	for _, p := range fleet.Platforms {
		f["robots.platform."] = append(f["robots.platform."], string(p))
	}
	for _, feed := range fleet.Feeds {
		f["robots.feed."] = append(f["robots.feed."], string(feed))
		f["robot.digest."] = append(f["robot.digest."], string(feed))
	}
	for _, fault := range fleet.LetterFaults {
		f["robots.fault."] = append(f["robots.fault."], string(fault), string(fault)+".text")
	}
	for _, t := range fleet.Troubles {
		f["trouble."] = append(f["trouble."], string(t))
	}
	for _, c := range fleet.Likelies {
		f["likely."] = append(f["likely."], string(c), string(c)+".text")
	}
	for _, show := range fleet.AlertShows {
		f["alerts.show."] = append(f["alerts.show."], string(show))
	}
	for _, k := range fleet.AlertLineKinds {
		f["alert.line."] = append(f["alert.line."], string(k))
	}
	f["alert.line."] = append(f["alert.line."], "closed.late")
	f["alerts.file."] = append([]string{"above"}, alertColumns...)
	f["near."] = []string{"nobody", "compound.fine", "compound.gone", "unit.fine", "unit.gone"}
	f["robot.digest."] = append(f["robot.digest."], "alert.call", "alert.open", "alert.raised")
	f["done."] = append(f["done."], "alert", "inspection", "inspection_withdrawn")
	for _, st := range fleet.DeductionStates {
		f["deduction.state."] = append(f["deduction.state."], string(st))
	}
	f["done."] = append(f["done."], "deduction", "deduction_rule", "deduction_notified", "deduction_upheld", "deduction_revoked", "appealed")
	f["robots.kind."] = []string{string(fleet.LetterDigest), string(fleet.LetterTest), string(fleet.LetterEvents)}
	f["robots.letter."] = []string{string(fleet.LetterWaiting), string(fleet.LetterSent), string(fleet.LetterDead)}
	f["robot.digest."] = append(f["robot.digest."], "title", "more", "end", "because", "slot", "since", "tasks") // said by package robot
	f["robot.test."] = []string{"title", "text"}
	for _, m := range fleet.Tallies {
		f["tally."] = append(f["tally."], string(m))
	}
	for _, state := range fleet.FeedbackStates {
		f["feedback.state."] = append(f["feedback.state."], string(state))
	}
	for _, state := range fleet.ItemStates {
		f["feedback.item."] = append(f["feedback.item."], string(state))
	}
	for _, m := range fleet.DeadlineModes {
		f["feedback.mode."] = append(f["feedback.mode."], string(m))
	}
	f["robot.digest."] = append(f["robot.digest."], "feedback.missing")
	f["done."] = append(f["done."], "figures", "feedback", "feedback_mark", "feedback_mode")
	f["done."] = append(f["done."], "clip_tags", "reel_drop", "share")
	f["done."] = append(f["done."], "group", "groups_planned", "renamed", "group_rule", "relay", "relayed", "relay_rules")
	f["groups.platform."], f["groups.show."], f["groups.tier."] = fleet.GroupPlatforms, groupShows, []string{"1", "2", "3"}
	f["groups.owner."] = []string{string(naming.OwnerMissing), string(naming.OwnerLeft), string(naming.OwnerOther)}
	f["groups.col."] = groupColumns
	f["relay.n."] = []string{"overdue", "waiting", "unsent"}
	for _, s := range fleet.GroupStates {
		f["groups.state."] = append(f["groups.state."], string(s))
	}
	for _, k := range []naming.GapKind{naming.GapRoot, naming.GapExtra, naming.GapUnit, naming.GapGrid, naming.GapGone, naming.GapOrder} {
		f["groups.gap."] = append(f["groups.gap."], string(k))
	}
	f["urgent.state."] = []string{"waiting", "live", "refused", "cancelled", "unconfirmed", "over"}
	for _, m := range fleet.Measures {
		f["measure."] = append(f["measure."], string(m), string(m)+".button")
		f["reply."], f["done."] = append(f["reply."], string(m)), append(f["done."], "complaint_"+string(m))
	}
	for _, c := range fleet.Channels {
		f["channel."] = append(f["channel."], string(c))
	}
	f["effect.counts.stop."], f["replace.error."], f["dispatch."] = []string{"true", "false"}, []string{"one_day", "no_slot", "day"}, gateStates
	f["done."] = append(f["done."], "replaced", "replaced_again", "unreplaced", "complaint_answered", "level_restored")
	for _, v := range append(slices.Clone(fleet.Verdicts), fleet.Due) {
		f["verdict."] = append(f["verdict."], string(v))
	}
	for _, r := range fleet.Roles {
		f["role."] = append(f["role."], string(r))
	}
	for _, s := range []fleet.ProgrammeState{fleet.Draft, fleet.Active, fleet.Superseded} {
		f["programme.state."] = append(f["programme.state."], string(s))
	}
	f["field."] = []string{"version", "need_sync", "role", "units", "points", "liaisons", "password_days", "code_roles", "sha256", "state", "title", "text", "from", "until", "days", "document", "dates", "type", "audience", "spoken"}
	for _, c := range fleet.AuditCodes {
		f["audit."] = append(f["audit."], string(c))
	}
	for _, c := range fleet.DeadCodes {
		f["dead."] = append(f["dead."], string(c), string(c)+".text")
	}
	for _, a := range fleet.TokenScopes {
		f["tokens.scope."] = append(f["tokens.scope."], string(a))
	}
	f["tokens."] = []string{"holds", "revoked", "ended", "orphan"}
	for _, st := range fleet.ClipStates {
		f["clip.state."] = append(f["clip.state."], string(st))
	}
	for _, st := range []fleet.ClipStep{fleet.StepSubmit, fleet.StepApprove, fleet.StepReturn, fleet.StepRecall, fleet.StepEdit} {
		f["clip.step."] = append(f["clip.step."], string(st))
		f["done.clip_"] = append(f["done.clip_"], string(st))
	}
	f["clip.step."] = append(f["clip.step."], string(fleet.StepUpload), string(fleet.StepCarried))
	f["approval.refused."] = []string{string(fleet.StepSubmit), string(fleet.StepApprove)}
	f["clip.purge."] = []string{"purged", "gone", "online", "never", "offline"}
	f["keys.role."] = []string{"root", "library", "director", "release", "ca"}
	f["gaps.why."] = []string{"corrupt", "full", "aged", "sync", "other"}
	f["cause."] = []string{string(fleet.CauseLate), string(fleet.CauseEvidence)}
	for _, d := range schedules.DayTypes() {
		f["daytype."] = append(f["daytype."], string(d))
	}
	for _, r := range []wire.Reason{
		wire.ReasonOffline, wire.ReasonPower, wire.ReasonClock, wire.ReasonClipMissing, wire.ReasonHash, wire.ReasonSilent, wire.ReasonStopped,
		wire.ReasonPreempted, wire.ReasonYielded, wire.ReasonQuiet, wire.ReasonDevice, wire.ReasonNotInstalled, wire.ReasonExit, wire.ReasonLost, wire.ReasonReplanned, wire.ReasonMuted, wire.ReasonOther,
	} {
		f["reason."] = append(f["reason."], string(r))
	}
	for code := range conditionIcons {
		f["cond."] = append(f["cond."], code, code+".text")
	}
	for _, code := range []string{"unknown", "detail", "journal_fault", "journal_damaged", "records_disputed", "card_failing", "disk_full"} {
		f["cond."] = append(f["cond."], code)
		if code != "detail" {
			f["cond."] = append(f["cond."], code+".text")
		}
	}
	for _, k := range append([]fleet.IncidentKind{
		"other", fleet.IncidentStranger, fleet.IncidentNoDevice, fleet.IncidentRevoked, fleet.IncidentOtherName, fleet.IncidentOtherTopic,
		fleet.IncidentCodeGuess, fleet.IncidentLoginGuess, fleet.IncidentCodeReused, fleet.IncidentOtherDoc, fleet.IncidentJournal, fleet.IncidentClone,
	}, wire.DeviceIncidents...) {
		f["incident."] = append(f["incident."], string(k), string(k)+".text")
	}
	for _, r := range []speech.Rule{speech.Digits, speech.Latin, speech.Sound, speech.Clause, speech.Hint, speech.Long, speech.Sign} {
		f["speech.rule."] = append(f["speech.rule."], string(r))
	}
	for _, r := range []speech.Rule{speech.Digits, speech.Latin, speech.Sound} {
		f["speech.rule."] = append(f["speech.rule."], string(r)+".suggest")
	}
	calendarFamilies(f)
	bulletinFamilies(f)
	delete(f, "cond.link_down") // shown as offline, by our own knowledge
	f["cond."] = slices.DeleteFunc(f["cond."], func(c string) bool { return strings.HasPrefix(c, "link_down") })
	return f
}

var templateKey = regexp.MustCompile(`\bt "([^"]+)"`)

// keysInUse are the keys that templates and code name.
func keysInUse(t *testing.T) map[string]bool {
	t.Helper()
	used := map[string]bool{}
	files, err := fs.Glob(templateFiles, "templates/*.html")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		data, err := templateFiles.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range templateKey.FindAllStringSubmatch(string(data), -1) {
			used[m[1]] = true
		}
	}
	sources, err := fs.Glob(os.DirFS("."), "*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range sources {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			sel, ok := call.Fun.(*ast.SelectorExpr)
			if !ok || (sel.Sel.Name != "T" && sel.Sel.Name != "frame") {
				return true
			}
			for _, arg := range call.Args {
				lit, ok := arg.(*ast.BasicLit)
				if ok && lit.Kind == token.STRING {
					key, err := strconv.Unquote(lit.Value)
					if err == nil && (strings.Contains(key, ".") || sel.Sel.Name == "T") {
						used[key] = true
					}
					if sel.Sel.Name == "T" {
						break // the rest are arguments
					}
				}
			}
			return true
		})
	}
	return used
}

func TestEveryTextIsInTheCatalogAndUsed(t *testing.T) {
	texts := loadTestLanguages(t)["zh"].texts
	used := keysInUse(t)
	known := map[string]bool{}
	for prefix, values := range families() {
		for _, v := range values {
			known[prefix+v] = true
			if _, ok := texts[prefix+v]; !ok {
				t.Errorf("the catalogs lack %q", prefix+v)
			}
		}
	}
	for key := range used {
		if _, ok := texts[key]; !ok && !strings.HasSuffix(key, ".") {
			t.Errorf("the catalogs lack %q", key)
		}
	}
	for key := range texts {
		if !used[key] && !known[key] {
			t.Errorf("nothing uses %q", key)
		}
	}
}

// spoken are the attributes that people see or hear.
var spoken = map[string]bool{"title": true, "aria-label": true, "placeholder": true, "alt": true, "data-toast": true, "data-copy": true, "data-undo": true, "data-gone": true}

var action = regexp.MustCompile(`(?s)\{\{.*?\}\}`)

// TestTemplatesHoldNoText finds letters that stand in a template itself: text
// nodes and the attributes people read.
func TestTemplatesHoldNoText(t *testing.T) {
	files, err := fs.Glob(templateFiles, "templates/*.html")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		data, err := templateFiles.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		z := html.NewTokenizer(strings.NewReader(action.ReplaceAllString(string(data), "")))
		for tt := z.Next(); tt != html.ErrorToken; tt = z.Next() {
			tok := z.Token()
			if tt == html.TextToken && strings.ContainsFunc(tok.Data, unicode.IsLetter) {
				t.Errorf("%s: text %q belongs into the catalogs", name, strings.TrimSpace(tok.Data))
			}
			for _, a := range tok.Attr {
				if spoken[a.Key] && strings.ContainsFunc(a.Val, unicode.IsLetter) {
					t.Errorf("%s: %s=%q belongs into the catalogs", name, a.Key, a.Val)
				}
				if a.Key == "style" || strings.HasPrefix(a.Key, "on") {
					t.Errorf("%s: attribute %s is forbidden by our own policy", name, a.Key)
				}
			}
		}
	}
}

func TestMessageFormat(t *testing.T) {
	tests := []struct {
		text string
		args []any
		want string
	}{
		{"plain", nil, "plain"},
		{"{0} of {1}", []any{1, "x"}, "1 of x"},
		{"{0} {0|point|points}", []any{1}, "1 point"},
		{"{0} {0|point|points}", []any{0}, "0 points"},
		{"{0|is|are}", []any{"1"}, "is"},
		{"{1}", []any{1}, "{1}"},
		{"", nil, ""},
	}
	for _, tt := range tests {
		m, err := parseMessage(tt.text)
		if err != nil {
			t.Errorf("parseMessage(%q): %v", tt.text, err)
			continue
		}
		if got := m.format(tt.args); got != tt.want {
			t.Errorf("format(%q, %v) = %q, want %q", tt.text, tt.args, got, tt.want)
		}
	}
	for _, bad := range []string{"{", "{x}", "{0|one}", "{12}", "{-1}"} {
		if _, err := parseMessage(bad); err == nil {
			t.Errorf("parseMessage(%q) passed", bad)
		}
	}
}

func FuzzParseMessage(f *testing.F) {
	f.Add("{0} {0|point|points}")
	f.Add("{")
	f.Fuzz(func(t *testing.T, text string) {
		if m, err := parseMessage(text); err == nil {
			_ = m.format([]any{1, 2})
		}
	})
}
