package fleet

import (
	"context"
	"encoding/json"
	"regexp"
	"sync/atomic"
	"time"
)

// AuditCode says what was done. Every code that is used is in AuditCodes and
// has its words in the catalogs, under "audit." and the code; tests hold that.
type AuditCode string

// What accounts do.
const (
	AuditLogin        AuditCode = "login"
	AuditLoginRefused AuditCode = "login_refused" // a login that failed; Who is what was typed
	AuditLogout       AuditCode = "logout"
	AuditPassword     AuditCode = "password"         // one's own password
	AuditForbidden    AuditCode = "forbidden"        // asked for what the role may not do; Object is method and path
	AuditConsole      AuditCode = "console_password" // a one-time password made on the controller's console
)

// What is done to API tokens; Object is the token's name, Detail its scopes
// and its last day.
const (
	AuditToken        AuditCode = "token"
	AuditTokenRevoked AuditCode = "token_revoked"
)

// What is done to accounts. Before and After name what changed.
const (
	AuditCodeRefused   AuditCode = "code_refused" // the second step of a login that failed
	AuditCodeOn        AuditCode = "code_on"      // one's own second factor
	AuditCodeOff       AuditCode = "code_off"
	AuditRecoveryCodes AuditCode = "recovery_codes"
	AuditSessionsEnded AuditCode = "sessions_ended" // one's own others
	AuditUserAdd       AuditCode = "user_add"
	AuditUserChange    AuditCode = "user_change"
	AuditUserPassword  AuditCode = "user_password" // somebody else's, by an administrator
	AuditUserUnlock    AuditCode = "user_unlock"
	AuditUserCode      AuditCode = "user_code" // somebody else's second factor was reset
	AuditAccountRules  AuditCode = "account_rules"
)

// What is done to robots of chats and to webhooks; Object is the name, or the
// title of a message.
const (
	AuditRobotAdd    AuditCode = "robot_add"
	AuditRobotTest   AuditCode = "robot_test"
	AuditRobotPause  AuditCode = "robot_pause" // or resumed
	AuditRobotRemove AuditCode = "robot_remove"
	AuditRobotResend AuditCode = "robot_resend" // a message that was given up
	AuditRobotDrop   AuditCode = "robot_drop"
	AuditRelayAPI    AuditCode = "relay_api" // a program started an item of the relay; Object is its source
)

// What is done to content and plans.
const (
	AuditClip       AuditCode = "clip"
	AuditProgramme  AuditCode = "programme"
	AuditActivate   AuditCode = "activate"
	AuditPublish    AuditCode = "publish"
	AuditAmend      AuditCode = "amend"
	AuditEntry      AuditCode = "calendar_entry" // an exam, a day of mourning or a stop; Detail is the document
	AuditEntryEnded AuditCode = "calendar_entry_ended"
	AuditHolidays   AuditCode = "holidays" // Object is the year, Detail the file
	AuditExport     AuditCode = "export"   // of evidence

	AuditClipEdit    AuditCode = "clip_edit"
	AuditClipSubmit  AuditCode = "clip_submit"
	AuditClipApprove AuditCode = "clip_approve"
	AuditClipReturn  AuditCode = "clip_return"
	AuditClipRecall  AuditCode = "clip_recall"
	AuditClipTags    AuditCode = "clip_tags"  // type, audience or spoken text
	AuditReel        AuditCode = "reel"       // a recording over the limit was kept
	AuditReelCut     AuditCode = "reel_cut"   // Object is the clip, Detail the part
	AuditReelDrop    AuditCode = "reel_drop"  // its file was given up before its time
	AuditShare       AuditCode = "clip_share" // the share of plays for those of 20 to 50 was set otherwise
)

// What is done to points and devices.
const (
	AuditJoinCode     AuditCode = "join_code"
	AuditPointSync    AuditCode = "point_sync"
	AuditPointTime    AuditCode = "point_time"
	AuditConfirmPlans AuditCode = "confirm_plans"
	AuditRegistry     AuditCode = "registry"        // the registry was imported
	AuditRoster       AuditCode = "roster"          // so by importing a roster; Detail is the file
	AuditRosterExport AuditCode = "roster_export"   // a roster was given out; Object names it
	AuditRosterWhole  AuditCode = "roster_whole"    // with whole telephone numbers; Detail is the reason
	AuditRegister     AuditCode = "register"        // a thing of the registry was added, changed or removed
	AuditUnitChange   AuditCode = "unit_change"     // a unit moves, is merged or gives a part away
	AuditPointStage   AuditCode = "point_stage"     // a point owes from when, or no more
	AuditCalibrated   AuditCode = "calibrated"      // Object is the point
	AuditTone         AuditCode = "test_tone"       // Object is the point, Detail the device; so for the next two
	AuditAccepted     AuditCode = "device_accepted" // its test tone was heard
	AuditUnheard      AuditCode = "device_unheard"
	AuditRevoked      AuditCode = "device_revoked" // Detail is the device and why
	AuditAlert        AuditCode = "alert"          // somebody took note of an alert; Object is the point, Detail what was done
	AuditIncident     AuditCode = "incident"       // a 安全事件 was ticked off; Detail is what was done
)

// What is silenced and what cuts in.
const (
	AuditMute         AuditCode = "mute"          // gates were silenced
	AuditUnmute       AuditCode = "unmute"        // and let sound again
	AuditMuteApprove  AuditCode = "mute_approve"  // somebody stood up for it: its slots are exempt
	AuditUrgent       AuditCode = "urgent"        // an urgent broadcast was submitted
	AuditUrgentFirst  AuditCode = "urgent_first"  // and sounds before the second person looked
	AuditUrgentSigned AuditCode = "urgent_signed" // signed off or confirmed
	AuditUrgentEnded  AuditCode = "urgent_ended"  // refused or cancelled
	AuditUrgentLapsed AuditCode = "urgent_lapsed" // stopped, because nobody confirmed it in time
	AuditUrgentText   AuditCode = "urgent_text"   // a template of urgent broadcasts was changed, added or deleted
)

// What is changed beside programmes.
const (
	AuditFigures        AuditCode = "figures"         // weekly figures; Object is the week
	AuditFeedback       AuditCode = "feedback"        // a unit filed feedback; Object is the unit, Detail the week and version
	AuditFeedbackMark   AuditCode = "feedback_mark"   // the office decided about a problem; Detail is the week and its number
	AuditFeedbackMode   AuditCode = "feedback_mode"   // until when feedback is due
	AuditReplace        AuditCode = "replace"         // a clip was replaced; Detail is why
	AuditUnreplace      AuditCode = "unreplace"       // and that was undone
	AuditComplaint      AuditCode = "complaint"       // Object is the point, Detail the measure
	AuditComplaintReply AuditCode = "complaint_reply" // what was answered was kept
	AuditRestoreLevel   AuditCode = "level_restored"  // Object is the point that sounds as before
)

// What is done to bulletins; Object is the number, or the period or subject of a
// draft. Of a report of the supervision team nothing but its number is told.
const (
	AuditBulletin        AuditCode = "bulletin"         // a draft was begun
	AuditBulletinEdit    AuditCode = "bulletin_edit"    // texts of a draft were changed
	AuditBulletinSubmit  AuditCode = "bulletin_submit"  // it was sent up to be signed
	AuditBulletinReturn  AuditCode = "bulletin_return"  // and sent back; Detail is why
	AuditBulletinIssue   AuditCode = "bulletin_issue"   // it was signed; Detail is its SHA-256
	AuditBulletinCorrect AuditCode = "bulletin_correct" // a correction was signed; Detail is its number
	AuditBulletinStyle   AuditCode = "bulletin_style"   // head and distribution of bulletins
	AuditReportRead      AuditCode = "report_read"      // a report of the supervision team was opened or downloaded
)

// What is done to deductions; Object is the rule's code, the unit or the id.
const (
	AuditDeductionRule     AuditCode = "deduction_rule"     // a version of a rule was typed; Detail is its points
	AuditDeduction         AuditCode = "deduction"          // one was made; Detail is how many slots
	AuditDeductionNotice   AuditCode = "deduction_notice"   // the unit was told; Detail is the days for an appeal
	AuditDeductionAppeal   AuditCode = "deduction_appeal"   // the unit answered; Detail is its name
	AuditDeductionDecision AuditCode = "deduction_decision" // it was upheld, revoked or dropped; Detail says which
)

// What is done to groups and passed down them; Object is the group's code or
// the beginning of the item.
const (
	AuditGroup        AuditCode = "group"         // one was added or changed
	AuditGroupRenamed AuditCode = "group_renamed" // its right name was ticked
	AuditGroupState   AuditCode = "group_state"   // it was made, merged or dissolved
	AuditGroupRule    AuditCode = "group_rule"    // the rule of names and codes
	AuditGroupExport  AuditCode = "group_export"  // the register as a workbook; Object is how many groups
	AuditRelay        AuditCode = "relay"         // an item was sent down
	AuditRelayDone    AuditCode = "relay_done"    // a group passed it on; Detail is the group
	AuditRelayClosed  AuditCode = "relay_closed"
	AuditRelayRules   AuditCode = "relay_rules" // the deadlines
)

// What is done to the audit and to personal data, by people and by the
// controller itself.
const (
	AuditRestore     AuditCode = "restore" // the database was put in place from a backup
	AuditViewed      AuditCode = "audit_viewed"
	AuditExported    AuditCode = "audit_exported"
	AuditPruned      AuditCode = "audit_pruned"    // lines older than the retention were dropped
	AuditRetention   AuditCode = "audit_retention" // the retention was set otherwise
	AuditReveal      AuditCode = "reveal"          // somebody saw a whole telephone number; Detail is the reason
	AuditPhoneErased AuditCode = "phone_erased"    // of somebody who left
)

// What supervisors find and what follows; Object is the name of the point.
const (
	AuditInspection AuditCode = "inspection"
	AuditWithdrawn  AuditCode = "inspection_withdrawn" // Detail is why
	AuditObserved   AuditCode = "observed"             // a verdict changed by what a person heard; Detail is the slot
)

// What is done to keys, on the controller's console and on the pages.
const (
	AuditKeys     AuditCode = "keys_made"
	AuditRotate   AuditCode = "key_rotated" // Object is the role; Before and After are ids
	AuditMode     AuditCode = "key_mode"    // default or strict mode
	AuditToSign   AuditCode = "to_sign"     // what the approver is to sign was exported
	AuditManifest AuditCode = "manifest"    // a manifest that the approver signed was imported
)

// AuditCodes is every code, in the order in which a page offers them.
var AuditCodes = []AuditCode{
	AuditRoster, AuditRosterExport, AuditRosterWhole,
	AuditLogin, AuditLoginRefused, AuditLogout, AuditPassword, AuditForbidden, AuditConsole, AuditToken, AuditTokenRevoked,
	AuditCodeRefused, AuditCodeOn, AuditCodeOff, AuditRecoveryCodes, AuditSessionsEnded,
	AuditUserAdd, AuditUserChange, AuditUserPassword, AuditUserUnlock, AuditUserCode, AuditAccountRules,
	AuditRobotAdd, AuditRobotTest, AuditRobotPause, AuditRobotRemove, AuditRobotResend, AuditRobotDrop, AuditRelayAPI,
	AuditClip, AuditProgramme, AuditActivate, AuditPublish, AuditAmend, AuditExport,
	AuditEntry, AuditEntryEnded, AuditHolidays,
	AuditClipEdit, AuditClipSubmit, AuditClipApprove, AuditClipReturn, AuditClipRecall,
	AuditClipTags, AuditReel, AuditReelCut, AuditReelDrop, AuditShare,
	AuditJoinCode, AuditPointSync, AuditPointTime, AuditConfirmPlans, AuditRegistry, AuditRegister, AuditUnitChange, AuditPointStage, AuditCalibrated, AuditTone, AuditAccepted, AuditUnheard, AuditRevoked, AuditIncident, AuditAlert,
	AuditMute, AuditUnmute, AuditMuteApprove, AuditUrgent, AuditUrgentFirst, AuditUrgentSigned, AuditUrgentEnded, AuditUrgentLapsed, AuditUrgentText,
	AuditFigures, AuditFeedback, AuditFeedbackMark, AuditFeedbackMode,
	AuditReplace, AuditUnreplace, AuditComplaint, AuditComplaintReply, AuditRestoreLevel,
	AuditGroup, AuditGroupRenamed, AuditGroupState, AuditGroupRule, AuditGroupExport, AuditRelay, AuditRelayDone, AuditRelayClosed, AuditRelayRules,
	AuditBulletin, AuditBulletinEdit, AuditBulletinSubmit, AuditBulletinReturn, AuditBulletinIssue, AuditBulletinCorrect, AuditBulletinStyle, AuditReportRead,
	AuditDeductionRule, AuditDeduction, AuditDeductionNotice, AuditDeductionAppeal, AuditDeductionDecision,
	AuditInspection, AuditWithdrawn, AuditObserved,
	AuditRestore, AuditViewed, AuditExported, AuditPruned, AuditRetention, AuditReveal, AuditPhoneErased,
	AuditKeys, AuditRotate, AuditMode, AuditToSign, AuditManifest,
}

// Audit is one line of who did what.
type Audit struct {
	ID     int64 // from 1, without gaps; set by the store, like Prev and Hash
	At     time.Time
	Who    string // login; a name in brackets is a part of the program
	Role   Role   // of the account then; empty where nobody was logged in
	From   string // address; empty for what the controller did by itself
	What   AuditCode
	Object string // what it was done to
	Detail string
	Before string // how it was: text, or Fields
	After  string // how it is since
	Failed bool   // it was refused or did not succeed
	Prev   string // hash of the line before
	Hash   string // of this line: see package audit
}

// AuditSelf is the Who of what the controller does by itself.
const AuditSelf = "[controller]"

// AuditFilter selects lines of the audit; zero fields select all.
type AuditFilter struct {
	From, To time.Time // from included, to not
	Who      string    // part of it, as are Object and Address
	What     AuditCode
	Object   string
	Address  string
	Failed   bool  // only what did not succeed
	Below    int64 // only lines with lower numbers, for the next page
	Limit    int   // 0 means all
}

// AuditHead is the controller's signature under the audit: an envelope of
// audit.Head.
type AuditHead struct {
	Number   uint64
	Line     int64
	Signed   time.Time
	Envelope []byte
}

// Fields returns names and values as a JSON object in their order, the form of
// Before and After when several things change. A name without value is left
// out.
func Fields(pairs ...string) string {
	b := []byte{'{'}
	for i := 0; i+1 < len(pairs); i += 2 {
		if len(b) > 1 {
			b = append(b, ',')
		}
		name, _ := json.Marshal(pairs[i]) // strings marshal
		value, _ := json.Marshal(pairs[i+1])
		b = append(append(append(b, name...), ':'), value...)
	}
	return string(append(b, '}'))
}

// mobile is a mainland mobile number that stands by itself.
var mobile = regexp.MustCompile(`\b(1[3-9]\d)\d{4}(\d{4})\b`)

// MaskPhones returns text with every mobile number in it as 138****1234.
func MaskPhones(text string) string { return mobile.ReplaceAllString(text, "$1****$2") }

// PendingLine is a line of the audit that is written in the same transaction as
// the change that it tells of: both are kept or neither.
type PendingLine struct {
	Line    Audit
	written atomic.Bool
}

// Written reports whether a change was committed with the line.
func (p *PendingLine) Written() bool { return p != nil && p.written.Load() }

// MarkWritten is for the store: the line is committed.
func (p *PendingLine) MarkWritten() { p.written.Store(true) }

type pendingKey struct{}

// WithAudit returns a context in which the first change that the store makes
// carries a. What changes more than once tells of the first change; nothing
// tells of a change that was refused.
func WithAudit(ctx context.Context, a Audit) (context.Context, *PendingLine) {
	p := &PendingLine{Line: a}
	return context.WithValue(ctx, pendingKey{}, p), p
}

// WithoutAudit returns a context whose changes carry no line: for what has to
// be done first, and is not what the line tells of.
func WithoutAudit(ctx context.Context) context.Context {
	return context.WithValue(ctx, pendingKey{}, (*PendingLine)(nil))
}

// PendingAudit returns the line that ctx carries, nil for none or when it is
// written.
func PendingAudit(ctx context.Context) *PendingLine {
	p, _ := ctx.Value(pendingKey{}).(*PendingLine)
	if p == nil || p.written.Load() {
		return nil
	}
	return p
}
