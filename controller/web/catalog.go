package web

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// message is a parsed catalog text: literals and arguments. {0} is the first
// argument as it is; {0|point|points} is "point" when it is 1, "points"
// otherwise.
type message []segment

type segment struct {
	lit        string
	arg        int // -1 for a literal
	one, other string
}

// catalog holds the messages of one language by key.
type catalog map[string]message

func parseCatalog(data []byte) (catalog, error) {
	var texts map[string]string
	if err := json.Unmarshal(data, &texts); err != nil {
		return nil, fmt.Errorf("parsing catalog: %w", err)
	}
	c := make(catalog, len(texts))
	for key, text := range texts {
		m, err := parseMessage(text)
		if err != nil {
			return nil, fmt.Errorf("catalog key %q: %w", key, err)
		}
		c[key] = m
	}
	return c, nil
}

func parseMessage(text string) (message, error) {
	var m message
	for text != "" {
		lit, rest, found := strings.Cut(text, "{")
		if lit != "" {
			m = append(m, segment{lit: lit, arg: -1})
		}
		if !found {
			return m, nil
		}
		inner, after, closed := strings.Cut(rest, "}")
		if !closed {
			return nil, fmt.Errorf("text %q: { without }", text)
		}
		parts := strings.Split(inner, "|")
		n, err := strconv.Atoi(parts[0])
		if err != nil || n < 0 || n > 9 || (len(parts) != 1 && len(parts) != 3) {
			return nil, fmt.Errorf("text %q: want {0} or {0|one|other}, not {%s}", text, inner)
		}
		s := segment{arg: n}
		if len(parts) == 3 {
			s.one, s.other = parts[1], parts[2]
		}
		m = append(m, s)
		text = after
	}
	return m, nil
}

// format fills in args; an argument that is missing shows as {n}, which the
// page tests look for.
func (m message) format(args []any) string {
	if len(m) == 1 && m[0].arg < 0 {
		return m[0].lit
	}
	var b strings.Builder
	for _, s := range m {
		switch {
		case s.arg < 0:
			b.WriteString(s.lit)
		case s.arg >= len(args):
			fmt.Fprintf(&b, "{%d}", s.arg)
		case s.one == "" && s.other == "":
			fmt.Fprint(&b, args[s.arg])
		case fmt.Sprint(args[s.arg]) == "1":
			b.WriteString(s.one)
		default:
			b.WriteString(s.other)
		}
	}
	return b.String()
}

// arguments returns the numbers of the arguments that m uses, as a set.
func (m message) arguments() map[int]bool {
	set := map[int]bool{}
	for _, s := range m {
		if s.arg >= 0 {
			set[s.arg] = true
		}
	}
	return set
}
