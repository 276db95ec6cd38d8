package fleet

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"gatecast/internal/wire"
)

// BulletinID is the row id of a bulletin; 0 means not stored yet.
type BulletinID int64

// BulletinKind is which paper a bulletin is.
type BulletinKind string

// The kinds. Each has numbers of its own.
const (
	WeeklyBulletin  BulletinKind = "weekly"  // 周通报: the figures of a period
	SpecialBulletin BulletinKind = "special" // 专项通报: a subject that somebody typed
	TeamReport      BulletinKind = "report"  // 督查专报: of the supervision team, for the heads alone
)

// BulletinState is how far a bulletin is.
type BulletinState string

// The states. Draft and Submitted show the figures of now; what was issued
// never changes.
const (
	BulletinDraft     BulletinState = "draft"     // 草稿
	BulletinSubmitted BulletinState = "submitted" // 送签
	BulletinIssued    BulletinState = "issued"    // 签发
)

// The chapters of a weekly bulletin in their order. Texts are kept under these
// names; the ones of other kinds have a single text under ChapterText.
const (
	ChapterCases       = "cases"       // 发案情况
	ChapterCards       = "cards"       // 涉诈“两卡”线索
	ChapterPersons     = "persons"     // 涉诈重点人核减
	ChapterPlayback    = "playback"    // 广播播放情况
	ChapterFeedback    = "feedback"    // 群转发与问题反馈
	ChapterInspections = "inspections" // 督导检查
	ChapterDeductions  = "deductions"  // 扣分与申诉: only where there are any
	ChapterCorrections = "corrections" // 更正: only where there are any
	ChapterTasks       = "tasks"       // 下周要求
	ChapterText        = "text"
)

// BulletinTexts lists the names of the texts that people type into a bulletin of
// that kind.
func BulletinTexts(k BulletinKind) []string {
	if k != WeeklyBulletin {
		return []string{ChapterText}
	}
	return []string{ChapterCases, ChapterCards, ChapterPersons, ChapterPlayback, ChapterFeedback, ChapterInspections, ChapterTasks}
}

// Bulletin is a paper that the office gives out.
type Bulletin struct {
	ID       BulletinID
	Kind     BulletinKind
	State    BulletinState
	From, To Day               // of a weekly one, both included; otherwise empty
	Subject  string            // of the other kinds
	Units    []UnitID          // whom a special one concerns; empty means all
	Texts    map[string]string // by chapter, what people typed
	Version  int               // grows with every change of the draft

	Created     time.Time
	By          string   // login of who began it; AuditSelf where the controller did
	Edited      []string // logins of who changed it
	Submitted   time.Time
	SubmittedBy string
	Returned    time.Time // when it was last sent back; zero if never
	ReturnedBy  string
	Reason      string // why it was sent back

	Issued      time.Time
	IssuedBy    string // login
	IssuedName  string // of the signer, as it was then
	Year        int    // local year of signing; 0 while it is not issued
	Number      int    // within the year and kind, from 1
	Total       int    // of the kind over all years
	Publication PublicationID
	Content     []byte // JSON of a BulletinContent as it was issued
	SHA256      string // hex, of Content
}

// Wrote reports whether login had a hand in b, and so may not sign it.
func (b Bulletin) Wrote(login string) bool {
	return b.By == login || b.SubmittedBy == login || slices.Contains(b.Edited, login)
}

// Frozen decodes what was issued.
func (b Bulletin) Frozen() (c BulletinContent, err error) {
	if err := json.Unmarshal(b.Content, &c); err != nil {
		return c, fmt.Errorf("content of bulletin %d: %w", b.ID, err)
	}
	return c, nil
}

// BulletinFilter selects bulletins. Kinds may not be empty: a list shows only
// what its reader may see.
type BulletinFilter struct {
	Kinds         []BulletinKind
	State         BulletinState // empty means any
	Query         string        // part of subject, texts or number
	Oldest        bool          // the oldest first; otherwise the newest
	Limit, Offset int
}

// BulletinContent is what stands on the paper. Its words are the office's own,
// in Chinese whatever language the pages speak.
type BulletinContent struct {
	Kind     BulletinKind
	Masthead string // 反电诈宣传工作简报
	Number   string // 第46期（总第98期）; empty before it is issued
	Issuer   string // 编发单位
	Date     string // 签发日; empty before
	Signer   string // 签发人; empty before
	Title    string
	Period   string // 统计时段 … 截至 …; empty where no figures stand
	Chapters []BulletinChapter
	Report   string // 报
	Send     string // 送
	Give     string // 发
	Copies   int    // 共印N份; 0 leaves it out

	// Sums are the counts by unit that Chapters print, so that the store can
	// compare them with what it seals.
	Sums map[UnitID]Counts `json:",omitempty"`
}

// BulletinChapter is one part of a bulletin. Facts, Tables and Notes follow from
// the records; Text is what a person typed.
type BulletinChapter struct {
	Name   string // one of the Chapter constants
	Title  string // with its number: 一、发案情况
	Facts  []string
	Tables []BulletinTable
	Notes  []string
	Text   string
}

// BulletinTable is a table; the last row is the sum where Sum says so.
type BulletinTable struct {
	Caption string
	Head    []string
	Rows    [][]string
	Sum     bool
	Words   int // how many of the last columns hold words, not figures
}

// BulletinChange is a figure of an issued bulletin that is another one now.
type BulletinChange struct {
	Table, Row, Column string
	Was, Now           string
}

// CorrectionID is the row id of a correction of a bulletin.
type CorrectionID int64

// BulletinCorrection is a numbered 更正. It shares its row of numbers with the
// amendments of publications.
type BulletinCorrection struct {
	ID        CorrectionID
	Bulletin  BulletinID
	Year      int // local year of signing
	Number    int // within the year, from 1
	At        time.Time
	By        string // login
	Name      string // of who signed it
	Changes   []BulletinChange
	Slots     []string   // of the slots that changed, one line each
	Content   []byte     // JSON of what the bulletin would say with it
	PrintedIn BulletinID // the issue that carries it; 0 while none does

	Issue string // 第N期（总第M期） of the bulletin it corrects; set by the store
}

// BulletinSigning is what the store needs to issue a bulletin.
type BulletinSigning struct {
	Bulletin    Bulletin          // ID, Version, Issued, IssuedBy, IssuedName and Year; Number and Total as wanted, 0 for the next
	Sums        map[UnitID]Counts // that Content prints
	Corrections []CorrectionID    // that Content prints
	Content     func(number, total int) ([]byte, error)
}

// LongestBulletinText is the most characters of one text: two pages.
const LongestBulletinText = 1500

const (
	impersonalBulletin   = "文字里有身份证号或手机号。通报不印个人信息，请删去再保存。"
	impersonalBulletinEN = "There is an identity number or a mobile number in the text. A bulletin prints no personal data: remove it and save again."
)

// CheckBulletin returns b with its texts put in order, or a *Error of code
// Invalid that says what is wrong with what was typed.
func CheckBulletin(b Bulletin) (Bulletin, error) {
	refuse := func(zh, en string) (Bulletin, error) { return b, &Error{Code: Invalid, Text: zh, TextEN: en} }
	b.Subject = strings.Join(strings.Fields(b.Subject), " ")
	if n := utf8.RuneCountInString(b.Subject); b.Kind != WeeklyBulletin && (n < 2 || n > 60) {
		return refuse("请写明事由，2 到 60 个字。", "Say what it is about, in 2 to 60 characters.")
	}
	if HoldsIdentity(b.Subject) || MaskPhones(b.Subject) != b.Subject {
		return refuse(impersonalBulletin, impersonalBulletinEN)
	}
	texts := map[string]string{}
	for _, name := range BulletinTexts(b.Kind) {
		text := strings.TrimSpace(strings.ReplaceAll(b.Texts[name], "\r\n", "\n"))
		if n := utf8.RuneCountInString(text); n > LongestBulletinText {
			return refuse(fmt.Sprintf("一段文字最多 %d 个字，现在有 %d 个字，请删减。", LongestBulletinText, n),
				fmt.Sprintf("A text has %d characters at most; this one has %d. Shorten it.", LongestBulletinText, n))
		}
		if HoldsIdentity(text) || MaskPhones(text) != text {
			return refuse(impersonalBulletin, impersonalBulletinEN)
		}
		if text != "" {
			texts[name] = text
		}
	}
	b.Texts = texts
	if b.Kind != WeeklyBulletin && texts[ChapterText] == "" {
		return refuse("请写正文。", "Write the text.")
	}
	return b, nil
}

// BulletinNumber is 第46期（总第98期）.
func BulletinNumber(number, total int) string {
	return fmt.Sprintf("第%d期（总第%d期）", number, total)
}

// PointReason counts the slots of a point that came out one way for one reason.
type PointReason struct {
	Point   PointID
	Verdict Verdict
	Reason  wire.Reason
	N       int
}

// RelaySum is how items of the relay were passed on.
type RelaySum struct {
	Items  int // that came down
	Tasks  int // turns of groups that were done or are over
	InTime int // of them, done before they were due
}

// Percent is a rate as every page and paper prints it: 97.9%, or — where there
// is nothing to divide by.
func Percent(rate float64, ok bool) string {
	if !ok {
		return "—"
	}
	return fmt.Sprintf("%.1f%%", 100*rate)
}
