package fleet

import "time"

// ClipSource is where a clip's sound comes from.
type ClipSource string

// The sources.
const (
	SourceUpload   ClipSource = "upload"   // a file
	SourceSpoken   ClipSource = "spoken"   // 文字转语音
	SourceRecorded ClipSource = "recorded" // in the browser
	SourceCut      ClipSource = "cut"      // from a recording
)

// ClipSort is an order of the library.
type ClipSort string

// The orders; the first is the one that holds where none was asked for.
const (
	ClipsByUpload ClipSort = "uploaded"
	ClipsByTitle  ClipSort = "title"
	ClipsByLength ClipSort = "length"
	ClipsByType   ClipSort = "type"
)

// ClipSorts is every order.
var ClipSorts = []ClipSort{ClipsByUpload, ClipsByTitle, ClipsByLength, ClipsByType}

// ClipQuery selects clips. The zero value selects all of them, newest first.
type ClipQuery struct {
	Text     string    // part of title, name, text or hash
	Type     string    // scam type
	Audience string    // one of its audiences
	State    ClipState // as Standing has it on Today; of Pending clips besides for ClipSubmitted
	Today    Day
	Sort     ClipSort
	Reverse  bool // the other way round than the sort's own
	Limit    int  // 0 means no limit
	Offset   int
}

// ClipTags is what is said about a clip beside what is signed with it.
type ClipTags struct {
	ScamType string
	Audience []string
	Spoken   string // 朗读文本
}

// MaxLongReason bounds why a clip is longer than others, in characters.
const MaxLongReason = 200

// Length limits of clips that the pages tell people about.
const (
	ClipWarnAt   = 60 * time.Second // passers-by do not hear more
	ClipHardStop = 10 * time.Minute // no approval allows more
)
