package main

import "strings"

// align pads the cells of rows so that columns line up on a terminal, where a
// Chinese character is two columns wide. Trailing spaces are left out.
func align(rows [][]string) []string {
	var widths []int
	for _, row := range rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], displayWidth(cell))
		}
	}
	lines := make([]string, len(rows))
	for r, row := range rows {
		var b strings.Builder
		for i, cell := range row {
			b.WriteString(cell + strings.Repeat(" ", widths[i]-displayWidth(cell)+2))
		}
		lines[r] = strings.TrimRight(b.String(), " ")
	}
	return lines
}

// displayWidth returns how many columns s takes.
func displayWidth(s string) int {
	n := 0
	for _, r := range s {
		n += runeWidth(r)
	}
	return n
}

// runeWidth is 2 for characters that Unicode's UAX #11 has as wide or
// full-width, as far as Chinese text and names need them, else 1.
func runeWidth(r rune) int {
	switch {
	case r >= 0x1100 && r <= 0x115F, r >= 0x2E80 && r <= 0xA4CF, r >= 0xAC00 && r <= 0xD7A3,
		r >= 0xF900 && r <= 0xFAFF, r >= 0xFE30 && r <= 0xFE4F, r >= 0xFF00 && r <= 0xFF60,
		r >= 0xFFE0 && r <= 0xFFE6, r >= 0x1F300 && r <= 0x1FAFF, r >= 0x20000 && r <= 0x3FFFD:
		return 2
	}
	return 1
}

// short puts text on one line and cuts it to a width in columns.
func short(text string, width int) string {
	text = cell(text)
	if displayWidth(text) <= width {
		return text
	}
	used := 1 // the ellipsis
	for i, r := range text {
		if used += runeWidth(r); used > width {
			return text[:i] + "…"
		}
	}
	return text
}
