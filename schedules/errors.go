package schedules

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Rule is the stable code of a rule that a programme can break. Each has a text
// in Chinese and in English; see Rules.
type Rule string

// Error says where in which file which rule is broken.
type Error struct {
	File string // as given to Parse; "" for a programme that was not read from a file
	Line int    // from 1; 0 where there is no line
	Key  string // path of the key, e.g. "slots[noon].start"; "" for the file as a whole
	Rule Rule
	Args []any // what the texts of Rule name; owned by the Error
}

// Error returns the English sentence, with file, line and key before it.
func (e *Error) Error() string { return e.At() + e.Text("en") }

// At returns "file:12: slots[noon].start: ", leaving out what is not known.
func (e *Error) At() string {
	var b strings.Builder
	if e.File != "" {
		b.WriteString(e.File + ":")
		if e.Line > 0 {
			b.WriteString(strconv.Itoa(e.Line) + ":")
		}
		b.WriteString(" ")
	}
	if e.Key != "" {
		b.WriteString(e.Key + ": ")
	}
	return b.String()
}

// Text returns the sentence alone, in English for "en" and in Chinese for any
// other lang.
func (e *Error) Text(lang string) string {
	text, known := ruleTexts[e.Rule]
	if !known {
		return string(e.Rule)
	}
	format := text.zh
	if lang == "en" {
		format = text.en
	}
	args := make([]any, len(e.Args))
	for i, a := range e.Args {
		args[i] = argText(a, lang)
	}
	return fmt.Sprintf(format, args...)
}

// argText returns the words for an argument. Arguments that have words of their
// own in each language, such as day types, are asked for them.
func argText(a any, lang string) string {
	switch v := a.(type) {
	case interface{ Text(lang string) string }:
		return v.Text(lang)
	case *Silence:
		return v.In(lang)
	case []DayType:
		words := make([]string, len(v))
		for i, t := range v {
			words[i] = t.Text(lang)
		}
		if lang == "en" {
			return strings.Join(words, ", ")
		}
		return strings.Join(words, "、")
	case time.Duration:
		return durationText(v)
	}
	return fmt.Sprint(a)
}

// durationText writes d as time.Duration does, without trailing zero units.
func durationText(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// Errors is everything that is wrong at once, in the order of the file. It is
// never empty where it is returned as an error.
type Errors []*Error

// Error returns one line for each error.
func (es Errors) Error() string { return es.Text("en") }

// Text returns one line for each error, with file, line and key, in lang.
func (es Errors) Text(lang string) string {
	lines := make([]string, len(es))
	for i, e := range es {
		lines[i] = e.At() + e.Text(lang)
	}
	return strings.Join(lines, "\n")
}

// Unwrap lets errors.As find the single errors.
func (es Errors) Unwrap() []error {
	out := make([]error, len(es))
	for i, e := range es {
		out[i] = e
	}
	return out
}

// err returns es as an error, nil when it is empty.
func (es Errors) err() error {
	if len(es) == 0 {
		return nil
	}
	return es
}
