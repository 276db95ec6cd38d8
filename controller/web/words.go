package web

import (
	"strings"

	"gatecast/controller/fleet"
)

// scamTypes and audiences are the words that clips are tagged with; they are
// stored as they stand there and translated when shown.
var scamTypes, audiences = fleet.ScamTypes, fleet.Audiences

// tag translates one stored word; a word of the office's own shows as it is.
func (l *lang) tag(word string) string {
	if key := "tag." + word; l.Has(key) {
		return l.T(key)
	}
	return word
}

// tags translates a stored list, whatever it is separated by.
func (l *lang) tags(list string) string {
	words := fleet.Tags(list)
	for i, w := range words {
		words[i] = l.tag(w)
	}
	return strings.Join(words, l.T("list"))
}

// choices are the options of a select for words, with chosen marked.
func (l *lang) choices(words []string, chosen string) []option {
	list := make([]option, len(words))
	for i, w := range words {
		list[i] = option{Value: w, Text: l.tag(w), On: w == chosen}
	}
	return list
}

// known returns word if it is in words, otherwise "".
func known(words []string, word string) string {
	for _, w := range words {
		if w == word {
			return w
		}
	}
	return ""
}
