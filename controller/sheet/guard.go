package sheet

import "strings"

// starters begin a formula in one spreadsheet program or another; the
// full-width ones do where the program's language is Chinese.
const starters = "=+-@\t\r＝＋－＠"

// guard makes text that a program would take for a formula when it opens a CSV
// file begin with an apostrophe. What begins with an apostrophe before such
// text gets one more, so that unguard undoes every guard.
func guard(text string) string {
	if risky(strings.TrimLeft(text, "'")) {
		return "'" + text
	}
	return text
}

// unguard takes off what guard put on.
func unguard(text string) string {
	rest := strings.TrimLeft(text, "'")
	if len(rest) < len(text) && risky(rest) {
		return text[1:]
	}
	return text
}

// risky reports whether text starts a formula, spaces before it left aside.
func risky(text string) bool {
	for _, r := range strings.TrimLeft(text, " ") {
		return strings.ContainsRune(starters, r)
	}
	return false
}
