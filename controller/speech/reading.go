package speech

import "strings"

// several are the characters with readings that espeak-ng takes one of
// whatever the word: 行 xing2, 还 hai2, 重 zhong4, 长 chang2; 佣 comes out
// garbled.
const several = "行还重长佣"

// misread are words in which that is the wrong one, and how they are read.
var misread = map[string]string{
	"银行": "yin2 hang2", "央行": "yang1 hang2", "行业": "hang2 ye4", "行长": "hang2 zhang3", "同行": "tong2 hang2", "行情": "hang2 qing2",
	"还款": "huan2 kuan3", "还钱": "huan2 qian2", "归还": "gui1 huan2", "偿还": "chang2 huan2", "还清": "huan2 qing1",
	"还贷": "huan2 dai4", "返还": "fan3 huan2", "退还": "tui4 huan2", "还债": "huan2 zhai4", "还给": "huan2 gei3",
	"重复": "chong2 fu4", "重新": "chong2 xin1", "双重": "shuang1 chong2", "重置": "chong2 zhi4", "重播": "chong2 bo1",
	"长辈": "zhang3 bei4", "家长": "jia1 zhang3", "校长": "xiao4 zhang3", "局长": "ju2 zhang3", "所长": "suo3 zhang3", "院长": "yuan4 zhang3",
	"队长": "dui4 zhang3", "组长": "zu3 zhang3", "楼长": "lou2 zhang3", "首长": "shou3 zhang3", "成长": "cheng2 zhang3", "增长": "zeng1 zhang3", "长大": "zhang3 da4",
	"佣金": "yong4 jin1",
}

// readWell are words that it reads as they are spoken.
var readWell = set("进行 行为 不行 执行 举行 流行 通行 行动 出行 行人 行李 可行 行骗 行驶 履行 发行 实行 旅行 行程 " +
	"还说 还有 还是 还要 还能 还会 还可 还没 还不 还在 还得 还让 还请 还想 还需 还敢 " +
	"重要 严重 重点 重大 尊重 贵重 体重 重视 慎重 重罪 " +
	"长期 长久 长时 擅长 特长 延长 很长 多长 长江 长途 长线 长寿")

func set(words string) map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(words) {
		m[w] = true
	}
	return m
}

// latinWords are words in Latin letters that people say in Chinese.
var latinWords = map[string]string{
	"APP": "应用", "APPS": "应用", "WIFI": "无线网络", "VIP": "会员", "AI": "人工智能", "ATM": "取款机", "SIM": "手机卡", "PIN": "密码",
	"GPS": "定位", "POS": "刷卡机", "ID": "账号", "QQ": "聊天软件", "IP": "网络地址", "URL": "网址", "USDT": "虚拟货币", "ETC": "通行卡",
	"CEO": "老板", "HR": "人事", "PPT": "文稿", "OK": "可以", "LED": "电子屏", "UKEY": "网银盾", "U": "优",
}

// hints finds the readings in brackets. covered says of every character whether
// it is inside of one, or of a word that has one.
func hints(r []rune) (covered []bool, found []Finding) {
	covered = make([]bool, len(r))
	for i := 0; i < len(r); i++ {
		if r[i] != '[' {
			if r[i] == ']' && !covered[i] {
				found = append(found, Finding{Hint, i, "]", "", true})
			}
			continue
		}
		end := i + 1
		for end < len(r) && r[end] != ']' && r[end] != '[' {
			end++
		}
		n := syllables(string(r[i+1 : end]))
		if end == len(r) || r[end] != ']' || n == 0 || !follows(r, i, n) {
			text := string(r[i:min(end+1, len(r))])
			found = append(found, Finding{Hint, i, text, "", true})
			n = 0
		}
		for k := i - n; k <= min(end, len(r)-1); k++ {
			covered[k] = true
		}
		i = end
	}
	return covered, found
}

// follows reports whether n Chinese characters stand before i.
func follows(r []rune, i, n int) bool {
	if n > i {
		return false
	}
	for _, c := range r[i-n : i] {
		if !isHan(c) {
			return false
		}
	}
	return true
}

// syllables counts the syllables of a reading such as "yin2 hang2"; 0 for what
// is none.
func syllables(text string) int {
	all := strings.Fields(text)
	for _, s := range all {
		letters := strings.TrimRight(s, "12345")
		if len(s)-len(letters) != 1 || letters == "" || len(letters) > 6 || strings.Trim(letters, "abcdefghijklmnopqrstuvwxyz") != "" {
			return 0
		}
	}
	return len(all)
}

// Plain returns text as people read it: without readings.
func Plain(text string) string { return unhint(text, func(string, string) string { return "" }) }

// Pinyin returns text with every word that has a reading replaced by it, the
// form that the espeak-ng voice cmn-latn-pinyin takes.
func Pinyin(text string) string {
	return unhint(text, func(_, reading string) string { return " " + reading + " " })
}

// unhint takes the readings out of text. Where say returns something, it
// stands in the place of word and reading.
func unhint(text string, say func(word, reading string) string) string {
	r := []rune(text)
	var out []rune
	for i := 0; i < len(r); i++ {
		if r[i] == '[' {
			if end := i + 1 + strings.IndexRune(string(r[i+1:]), ']'); end > i {
				reading := string(r[i+1 : min(end, len(r))])
				// readings are ASCII, so that bytes are characters here
				if n := syllables(reading); n > 0 && follows(r, i, n) && len(out) >= n {
					if said := say(string(out[len(out)-n:]), reading); said != "" {
						out = append(out[:len(out)-n], []rune(said)...)
					}
					i = end
					continue
				}
			}
		}
		out = append(out, r[i])
	}
	return string(out)
}
