package wire

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Head is what ingest needs of a record; Play and Slot are set for intents
// and outcomes.
type Head struct {
	Log    LogID
	Seq    Seq
	Prev   string
	Kind   RecordKind
	AtUS   int64
	MonoUS int64
	BootID string
	Level  TimeLevel
	ErrMS  int64
	Play   PlayID
	Slot   SlotID
}

// Skim reads the head of a record in the form that journals write: compact
// JSON without escapes, every field known and of its type, none twice. ok
// means that parsing raw as a Record, and its body as what Kind says, would
// succeed and give the same values; it costs a fourth of that. Otherwise
// nothing is said about raw: parse it in full.
func Skim(raw []byte) (h Head, ok bool) {
	var body []byte
	rest, ok := skimObject(raw, skimRecord, func(name string, value []byte) {
		switch name {
		case "log":
			h.Log = LogID(value)
		case "seq":
			n, _ := strconv.ParseUint(string(value), 10, 64) // checked: at most 18 digits
			h.Seq = Seq(n)
		case "prev":
			h.Prev = string(value)
		case "kind":
			h.Kind = RecordKind(value)
		case "at_us":
			h.AtUS, _ = strconv.ParseInt(string(value), 10, 64) // checked
		case "mono_us":
			h.MonoUS, _ = strconv.ParseInt(string(value), 10, 64) // checked
		case "boot_id":
			h.BootID = string(value)
		case "level":
			n, _ := strconv.ParseInt(string(value), 10, 64) // checked
			h.Level = TimeLevel(n)
		case "err_ms":
			h.ErrMS, _ = strconv.ParseInt(string(value), 10, 64) // checked
		case "body":
			body = value
		}
	})
	if !ok || len(rest) > 0 {
		return Head{}, false
	}
	fields, ok := skimBodies[h.Kind]
	if !ok {
		return Head{}, false
	}
	rest, ok = skimObject(body, fields, func(name string, value []byte) {
		switch name {
		case "play":
			h.Play = PlayID(value)
		case "slot":
			h.Slot = SlotID(value)
		}
	})
	if !ok || len(rest) > 0 {
		return Head{}, false
	}
	return h, true
}

// skimKind is the form of a value.
type skimKind byte

const (
	skimString skimKind = iota
	skimInt
	skimUint
	skimBool
	skimBody // an object, skimmed later
	skimJSON // an object of any content
)

// skimFields are the fields of one type by their name in JSON. The number is
// the bit that marks the field as seen.
type skimFields map[string]skimField

type skimField struct {
	kind skimKind
	bit  uint64
}

// The tables are made once from the types themselves and never change.
var (
	skimRecord = skimFieldsOf[Record]()
	skimBodies = map[RecordKind]skimFields{
		RecordBoot: skimFieldsOf[Boot](), RecordIntent: skimFieldsOf[Intent](), RecordOutcome: skimFieldsOf[Outcome](),
		RecordPlan: skimFieldsOf[PlanTaken](), RecordClock: skimFieldsOf[ClockStep](), RecordGap: skimFieldsOf[Gap](), RecordStop: skimFieldsOf[Stop](),
		RecordCheckpoint: skimFieldsOf[Checkpoint](), RecordReceipt: skimFieldsOf[ReceiptKept](), RecordDrop: skimFieldsOf[Drop](),
		RecordIncident: skimFieldsOf[Incident](),
	}
)

func skimFieldsOf[T any]() skimFields {
	fields := skimFields{}
	t := reflect.TypeFor[T]()
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		kind := skimBody
		switch f.Type.Kind() {
		case reflect.String:
			kind = skimString
		case reflect.Int, reflect.Int64:
			kind = skimInt
		case reflect.Uint64:
			kind = skimUint
		case reflect.Bool:
			kind = skimBool
		case reflect.Slice:
			if t != reflect.TypeFor[Record]() {
				kind = skimJSON
			}
		case reflect.Pointer:
			continue // rare: a record with it is parsed in full
		}
		fields[name] = skimField{kind, 1 << i}
	}
	return fields
}

// skimObject reads a compact object of known fields, each at most once, and
// returns what follows it.
func skimObject(b []byte, fields skimFields, got func(name string, value []byte)) (rest []byte, ok bool) {
	if len(b) < 2 || b[0] != '{' {
		return nil, false
	}
	if b[1] == '}' {
		return b[2:], true
	}
	b = b[1:]
	var seen uint64
	for {
		key, after, ok := skimText(b)
		if !ok || len(after) == 0 || after[0] != ':' {
			return nil, false
		}
		f, ok := fields[string(key)]
		if !ok || seen&f.bit != 0 {
			return nil, false
		}
		seen |= f.bit
		value, after, ok := skimValue(after[1:], f.kind)
		if !ok || len(after) == 0 {
			return nil, false
		}
		got(string(key), value)
		switch after[0] {
		case ',':
			b = after[1:]
		case '}':
			return after[1:], true
		default:
			return nil, false
		}
	}
}

func skimValue(b []byte, kind skimKind) (value, rest []byte, ok bool) {
	switch kind {
	case skimString:
		return skimText(b)
	case skimInt, skimUint:
		i := 0
		if i < len(b) && b[i] == '-' && kind == skimInt {
			i++
		}
		first := i
		for i < len(b) && b[i] >= '0' && b[i] <= '9' {
			i++
		}
		digits := i - first
		if digits == 0 || digits > 18 || digits > 1 && b[first] == '0' {
			return nil, nil, false
		}
		return b[:i], b[i:], true
	case skimBool:
		for _, word := range []string{"true", "false"} {
			if bytes.HasPrefix(b, []byte(word)) {
				return b[:len(word)], b[len(word):], true
			}
		}
	case skimBody, skimJSON:
		if n := objectLen(b); n > 0 && (kind == skimBody || json.Valid(b[:n])) {
			return b[:n], b[n:], true
		}
	}
	return nil, nil, false
}

// skimText reads a string without escapes.
func skimText(b []byte) (text, rest []byte, ok bool) {
	if len(b) < 2 || b[0] != '"' {
		return nil, nil, false
	}
	ascii := true
	for i := 1; i < len(b); i++ {
		switch c := b[i]; {
		case c == '"':
			return b[1:i], b[i+1:], ascii || utf8.Valid(b[1:i])
		case c == '\\', c < ' ':
			return nil, nil, false
		case c >= 0x80:
			ascii = false // the decoder replaces what is no UTF-8
		}
	}
	return nil, nil, false
}

// objectLen returns the length of the object at the beginning of b, or 0. It
// matches brackets outside strings and checks nothing else.
func objectLen(b []byte) int {
	if len(b) == 0 || b[0] != '{' {
		return 0
	}
	depth := 0
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
		case '"':
			for i++; i < len(b) && b[i] != '"'; i++ {
				if b[i] == '\\' {
					i++
				}
			}
		}
	}
	return 0
}

// SplitBatch takes a Batch in the form that devices write apart without
// parsing its records: a compact object of "log" and "records", in this order.
// Where ok is false, decode it in full. The records are parts of data and may
// be anything between matching brackets.
func SplitBatch(data []byte) (batch Batch, ok bool) {
	if len(data) > MaxMessage {
		return Batch{}, false
	}
	rest, found := bytes.CutPrefix(data, []byte(`{"log":`))
	if !found {
		return Batch{}, false
	}
	log, rest, ok := skimText(rest)
	if !ok {
		return Batch{}, false
	}
	batch.Log = LogID(log)
	if rest, found = bytes.CutPrefix(rest, []byte(`,"records":[`)); !found {
		return Batch{}, false
	}
	for {
		n := objectLen(rest)
		if n == 0 {
			return Batch{}, false
		}
		batch.Records = append(batch.Records, rest[:n:n])
		rest = rest[n:]
		switch {
		case string(rest) == "]}":
			return batch, true
		case len(rest) == 0 || rest[0] != ',':
			return Batch{}, false
		}
		rest = rest[1:]
	}
}
