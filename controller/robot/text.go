package robot

import (
	"bytes"
	"encoding/json"
	"strings"
	"unicode"
	"unicode/utf8"

	"gatecast/controller/fleet"
)

// more ends a text that was cut.
const more = "…（其余见系统）"

// cut returns text within most bytes, between characters, with more at its end
// where something went. Invalid UTF-8 is replaced first. Where not even more
// fits, what fits of the text stands alone.
func cut(text string, most int) string {
	text = strings.ToValidUTF8(text, "�")
	if len(text) <= most {
		return text
	}
	end := more
	if len(end) > most {
		end = ""
	}
	at := max(most-len(end), 0)
	for at > 0 && !utf8.RuneStart(text[at]) {
		at--
	}
	return text[:at] + end
}

// tidy makes text fit to be sent: valid, without control characters but line
// ends, with every mobile number masked.
func tidy(text string) string {
	return fleet.MaskPhones(strings.Map(func(r rune) rune {
		if r != '\n' && unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "�")))
}

// The characters with which a name could become a link, a heading or a
// mention, in forms that look alike and mean nothing.
var (
	plainMarkdown = strings.NewReplacer("[", "［", "]", "］", "(", "（", ")", "）", "*", "＊", "_", "＿", "`", "｀", "#", "＃", ">", "＞", "<", "＜", "!", "！", "\\", "＼", "|", "｜", "~", "～")
	plainTags     = strings.NewReplacer("<", "＜", ">", "＞")
)

// encode returns v as JSON with <, > and & as they are: as escapes they would
// take six bytes each of the few there are.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// fit returns build of the longest cut of text whose JSON has at most most
// bytes. How much a character takes in JSON depends on the character, so the
// length is searched for.
func fit(text string, most int, build func(text string) any) ([]byte, error) {
	body, err := encode(build(text))
	if err != nil || len(body) <= most {
		return body, err
	}
	low, high := 0, len(text) // low fits, high does not
	best, err := encode(build(""))
	if err != nil {
		return nil, err
	}
	for high-low > 1 {
		mid := (low + high) / 2
		if body, err = encode(build(cut(text, mid))); err != nil {
			return nil, err
		}
		if len(body) <= most {
			low, best = mid, body
		} else {
			high = mid
		}
	}
	return best, nil
}

// opening returns the title with the keyword in front unless title or text
// have it: the group refuses what is without.
func (m message) opening() string {
	if m.Keyword == "" || strings.Contains(m.Title, m.Keyword) {
		return m.Title
	}
	return "【" + m.Keyword + "】" + m.Title
}
