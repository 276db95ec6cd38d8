package schedules

import (
	"bytes"
	"errors"
	"io"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// The YAML package names the line at which the enclosing block begins, or one
// too few. findSyntaxLine does better, within these bounds.
const (
	maxSearched = 64 << 10 // bytes; a search may parse the file some 50 times
	searchAhead = 50       // lines without a good prefix after which to give up
)

// yamlLine finds the line in the YAML package's messages.
var yamlLine = regexp.MustCompile(`^yaml: line (\d+): `)

// syntax notes what the YAML package refused.
func (d *decoder) syntax(data []byte, err error) {
	text := strings.ReplaceAll(err.Error(), "\n", " ")
	line := 1
	if m := yamlLine.FindStringSubmatch(text); m != nil {
		line, _ = strconv.Atoi(m[1]) // digits only
		text = text[len(m[0]):]
	}
	n := &yaml.Node{Line: findSyntaxLine(data, line)}
	if strings.Contains(text, "alphabetic or numeric character") {
		d.fail(n, "", RuleQuotes) // a cron expression taken for a YAML alias
		return
	}
	d.fail(n, "", RuleSyntax, yamlProblem(strings.TrimPrefix(text, "yaml: ")))
}

// findSyntaxLine returns the line after the longest part of data that is good
// YAML: the line that breaks it, or that opens the bracket or quote that is
// never closed. It looks from the line that the YAML package names, which is
// returned when nothing better is found.
func findSyntaxLine(data []byte, named int) int {
	lines := bytes.SplitAfter(data, []byte("\n"))
	if len(data) > maxSearched || named > len(lines) {
		return min(named, len(lines))
	}
	start := max(named-1, 0)
	size := 0
	for _, l := range lines[:start] {
		size += len(l)
	}
	good := -1
	for n := start; n < len(lines) && n-max(good, start) <= searchAhead; n++ {
		if wellFormed(data[:size]) {
			good = n
		}
		size += len(lines[n])
	}
	if good < 0 {
		return max(named, 1)
	}
	return good + 1
}

func wellFormed(data []byte) bool {
	dec := yaml.NewDecoder(bytes.NewReader(data))
	for {
		var n yaml.Node
		if err := dec.Decode(&n); err != nil {
			return errors.Is(err, io.EOF)
		}
	}
}

// yamlProblem is a message of the YAML package.
type yamlProblem string

// Text returns the message, in Chinese where it is one that people cause.
func (p yamlProblem) Text(lang string) string {
	if lang != "en" {
		for _, known := range [][2]string{
			{"tab character", "缩进用了制表符，请改成空格"},
			{"'-' indicator", "缩进不齐，或列表项前少了 “-”"},
			{"end of stream", "引号没有配对"},
			{"',' or ']'", "方括号没有配对，或少了逗号"},
			{"',' or '}'", "花括号没有配对，或少了逗号"},
			{"expected ':'", "少了冒号，或冒号后面没有空格（要用半角冒号）"},
			{"mapping values", "缩进不对，或一行里多了一个冒号；文字里有冒号时请加引号"},
			{"cannot start any token", "这里不能以这个字符（如 @ 或制表符）开头；缩进请用空格，内容请加引号"},
			{"node content", "少了内容，或括号没有配对"},
			{"expected key", "缩进不齐，或引号、括号没有配对"},
		} {
			if strings.Contains(string(p), known[0]) {
				return known[1]
			}
		}
	}
	return string(p)
}
