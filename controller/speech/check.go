package speech

import (
	"slices"
	"strings"
	"time"
	"unicode"
)

// Rule names what a Finding is about. The names are stable.
type Rule string

// The rules of spoken texts.
const (
	Digits Rule = "digits" // a number in digits
	Latin  Rule = "latin"  // a word in Latin letters
	Sound  Rule = "sound"  // a word that the synthesiser is likely to misread
	Clause Rule = "clause" // too many characters without a pause
	Hint   Rule = "hint"   // brackets that are no reading of the word before them
	Long   Rule = "long"   // longer than anybody listens
	Sign   Rule = "sign"   // a sign that has no sound
)

// Finding is one thing about a text. Must says that it cannot be spoken as it
// is; the others are advice.
type Finding struct {
	Rule    Rule
	At      int    // in characters, from 0
	Text    string // what it is about
	Suggest string // to write in its place; empty where a person has to decide
	Must    bool
}

// Limits of a text. MaxText is about three minutes, the longest clip that
// ceilings allow by default; WarnText is one.
const (
	MaxText   = 560
	WarnText  = 190
	MaxClause = 20 // characters between two pauses: a breath
)

// perCharacter is the time that espeak-ng takes for a character, a pause for
// punctuation included, at 150 words a minute: seven texts of 73 to 84
// characters took 23 to 27 s.
const perCharacter = 315 * time.Millisecond

// Length estimates how long text sounds, to the second.
func Length(text string) time.Duration {
	n := 0
	for _, r := range Plain(text) {
		if !unicode.IsSpace(r) {
			n++
		}
	}
	return (time.Duration(n) * perCharacter).Round(time.Second)
}

// Check returns what is to be known of text, in its order; nil where a
// synthesiser reads it well.
func Check(text string) []Finding {
	r := []rune(text)
	covered, found := hints(r)
	found = append(found, words(r, covered)...)
	found = append(found, sounds(r, covered)...)
	found = append(found, clauses(r, covered)...)
	if n := len([]rune(strings.TrimSpace(Plain(text)))); n > WarnText {
		found = append(found, Finding{Rule: Long, At: len(r), Text: Length(text).String(), Must: n > MaxText})
	}
	slices.SortStableFunc(found, func(a, b Finding) int { return a.At - b.At })
	return found
}

// Blocking reports whether text cannot be spoken before somebody changes it.
func Blocking(found []Finding) bool {
	return slices.ContainsFunc(found, func(f Finding) bool { return f.Must })
}

// Fix returns text with every suggestion of Check followed.
func Fix(text string) string {
	r := []rune(text)
	found := Check(text)
	for _, f := range slices.Backward(found) {
		if f.Suggest != "" {
			r = slices.Concat(r[:f.At], []rune(f.Suggest), r[f.At+len([]rune(f.Text)):])
		}
	}
	return string(r)
}

// words finds digits, Latin words and signs outside of brackets.
func words(r []rune, covered []bool) (found []Finding) {
	for i := 0; i < len(r); {
		end := i + 1
		switch {
		case covered[i] && !isHan(r[i]):
		case isDigit(r[i]):
			for end < len(r) && (isDigit(r[end]) || isJoint(r[end]) && end+1 < len(r) && isDigit(r[end+1])) {
				end++
			}
			if end < len(r) && (r[end] == '%' || r[end] == '％') {
				end++
			}
			next := rune(0)
			if end < len(r) {
				next = r[end]
			}
			found = append(found, Finding{Digits, i, string(r[i:end]), spell(string(r[i:end]), next), true})
		case isLatin(r[i]):
			for end < len(r) && isLatin(r[end]) {
				end++
			}
			word := string(r[i:end])
			found = append(found, Finding{Latin, i, word, latinWords[strings.ToUpper(narrow(word))], true})
		case !isHan(r[i]) && !isPause(r[i]) && !unicode.IsSpace(r[i]) && !strings.ContainsRune(silent, r[i]):
			found = append(found, Finding{Sign, i, string(r[i]), "", true})
		}
		i = end
	}
	return found
}

// sounds finds words with characters that have several readings.
func sounds(r []rune, covered []bool) (found []Finding) {
	for i := 0; i < len(r); i++ {
		if covered[i] || !strings.ContainsRune(several, r[i]) {
			continue
		}
		if w := around(r, i, misread); w.text != "" {
			if !slices.Contains(covered[w.at:w.at+len([]rune(w.text))], true) {
				found = append(found, Finding{Sound, w.at, w.text, w.text + "[" + misread[w.text] + "]", false})
				i = w.at + len([]rune(w.text)) - 1
			}
			continue
		}
		if around(r, i, readWell).text == "" {
			found = append(found, Finding{Sound, i, string(r[i]), "", false})
		}
	}
	return found
}

type word struct {
	at   int
	text string
}

// around returns the longest word of the table that has the character at i.
func around[V any](r []rune, i int, table map[string]V) (best word) {
	for from := max(0, i-3); from <= i; from++ {
		for to := i + 1; to <= min(len(r), from+4); to++ {
			if w := string(r[from:to]); to-from > len([]rune(best.text)) {
				if _, ok := table[w]; ok {
					best = word{from, w}
				}
			}
		}
	}
	return best
}

// clauses finds what is too long for a breath.
func clauses(r []rune, covered []bool) (found []Finding) {
	from, n := 0, 0
	for i := 0; i <= len(r); i++ {
		if i < len(r) && !isPause(r[i]) && r[i] != '\n' {
			if isHan(r[i]) {
				if n == 0 {
					from = i
				}
				n++
			}
			continue
		}
		if n > MaxClause {
			found = append(found, Finding{Clause, from, Plain(string(r[from:i])), "", false})
		}
		n = 0
	}
	return found
}

// silent are signs that are read over.
const silent = "“”‘’\"'《》（）()·[]"

func isHan(r rune) bool { return unicode.Is(unicode.Han, r) }

func isPause(r rune) bool { return strings.ContainsRune("，。！？；：、,.!?;:…—～", r) }

func isDigit(r rune) bool { return r >= '0' && r <= '9' || r >= '０' && r <= '９' }

// isJoint is what stands between the digits of one number.
func isJoint(r rune) bool { return strings.ContainsRune(".-–—~～:：", r) }

func isLatin(r rune) bool {
	return r <= 'z' && (r >= 'a' || r >= 'A' && r <= 'Z') || r >= 'Ａ' && r <= 'Ｚ' || r >= 'ａ' && r <= 'ｚ'
}

// narrow writes full-width letters, digits and signs as narrow ones.
func narrow(s string) string {
	return strings.Map(func(r rune) rune {
		if r > 0xFF00 && r < 0xFF5F {
			return r - 0xFEE0
		}
		return r
	}, s)
}
