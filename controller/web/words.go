package web

import "strings"

// scamTypes and audiences are the words that clips are tagged with; they are
// stored as they stand here and translated when shown.
var (
	scamTypes = []string{
		"刷单返利", "虚假投资理财", "虚假购物服务", "冒充客服", "虚假贷款", "虚假征信", "冒充领导熟人",
		"冒充公检法", "婚恋交友", "游戏交易", "两卡", "养老/保健", "其他/综合",
	}
	audiences = []string{"20–50岁", "老年", "学生", "通用"}
)

// tag translates one stored word; a word of the office's own shows as it is.
func (l *lang) tag(word string) string {
	if key := "tag." + word; l.Has(key) {
		return l.T(key)
	}
	return word
}

// tags translates a stored list, whatever it is separated by.
func (l *lang) tags(list string) string {
	words := strings.FieldsFunc(list, func(r rune) bool { return strings.ContainsRune(",，、;；", r) })
	for i, w := range words {
		words[i] = l.tag(strings.TrimSpace(w))
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
