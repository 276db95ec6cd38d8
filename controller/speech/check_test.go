package speech

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// samples are texts that were timed with espeak-ng, in seconds.
var samples = map[string]int{
	"各位居民请注意：先给几块钱甜头，再让您垫钱做任务，这就是刷单骗局。凡是要先充值、先垫付才给报酬的兼职，都是诈骗。陌生链接不点，陌生群不进，拿不准就打反诈专线九六幺幺零。": 27,
	"接到客服电话，说您开通了会员要扣费，或者快递丢了要退款，请先挂断，再到官方平台自己查。凡是让您打开屏幕共享、念验证码、往安全账户转钱的，都是诈骗。":            23,
	"上班的朋友请留意：群里老师带您炒股炒币，天天晒收益，还说有内部消息，多半是骗子。应用商店里找不到的投资软件不要装，提不出来的钱不算钱。拿不准，先打九六幺幺零问一问。":   25,
}

func TestCheckLetsGoodTextsPass(t *testing.T) {
	for text, seconds := range samples {
		if found := Check(text); len(found) > 0 {
			t.Errorf("Check(%s) = %+v, want nothing", text, found)
		}
		want := time.Duration(seconds) * time.Second
		if got := Length(text); (got - want).Abs() > 3*time.Second {
			t.Errorf("Length(%s) = %s, want %s", text, got, want)
		}
	}
}

func TestCheckSuggests(t *testing.T) {
	tests := map[string]struct {
		text string
		want []Finding
		fix  string
	}{
		"dialled":      {"请打96110", []Finding{{Digits, 2, "96110", "九六幺幺零", true}}, "请打九六幺幺零"},
		"full_width":   {"打１１０。", []Finding{{Digits, 1, "１１０", "幺幺零", true}}, "打幺幺零。"},
		"year":         {"2026年", []Finding{{Digits, 0, "2026", "二零二六", true}}, "二零二六年"},
		"range":        {"20-50岁", []Finding{{Digits, 0, "20-50", "二十到五十", true}}, "二十到五十岁"},
		"share":        {"30%", []Finding{{Digits, 0, "30%", "百分之三十", true}}, "百分之三十"},
		"clock":        {"18:30前", []Finding{{Digits, 0, "18:30", "十八点三十分", true}}, "十八点三十分前"},
		"full_hour":    {"8:00", []Finding{{Digits, 0, "8:00", "八点", true}}, "八点"},
		"money":        {"10500元", []Finding{{Digits, 0, "10500", "一万零五百", true}}, "一万零五百元"},
		"round_money":  {"50000元", []Finding{{Digits, 0, "50000", "五万", true}}, "五万元"},
		"decimal":      {"3.5倍", []Finding{{Digits, 0, "3.5", "三点五", true}}, "三点五倍"},
		"latin":        {"下载App吧", []Finding{{Latin, 2, "App", "应用", true}}, "下载应用吧"},
		"unknown_word": {"打开Zoom", []Finding{{Latin, 2, "Zoom", "", true}}, "打开Zoom"},
		"misread":      {"去银行还款", []Finding{{Sound, 1, "银行", "银行[yin2 hang2]", false}, {Sound, 3, "还款", "还款[huan2 kuan3]", false}}, "去银行[yin2 hang2]还款[huan2 kuan3]"},
		"undecided":    {"长的", []Finding{{Sound, 0, "长", "", false}}, "长的"},
		"commission":   {"高佣金", []Finding{{Sound, 1, "佣金", "佣金[yong4 jin1]", false}}, "高佣金[yong4 jin1]"},
		"read_well":    {"这种行为很严重，还有长期的", nil, "这种行为很严重，还有长期的"},
		"hinted":       {"去银行[yin2 hang2]还款[huan2 kuan3]", nil, "去银行[yin2 hang2]还款[huan2 kuan3]"},
		"bad_hint":     {"银行[yin hang]", []Finding{{Sound, 0, "银行", "银行[yin2 hang2]", false}, {Hint, 2, "[yin hang]", "", true}}, "银行[yin2 hang2][yin hang]"},
		"long_hint":    {"行[yin2 hang2]", []Finding{{Sound, 0, "行", "", false}, {Hint, 1, "[yin2 hang2]", "", true}}, "行[yin2 hang2]"},
		"open_bracket": {"好[hao3", []Finding{{Hint, 1, "[hao3", "", true}}, "好[hao3"},
		"sign":         {"￥三百", []Finding{{Sign, 0, "￥", "", true}}, "￥三百"},
		"clause": {
			"不要相信任何让您把钱转到所谓的安全账户里面去的人",
			[]Finding{{Clause, 0, "不要相信任何让您把钱转到所谓的安全账户里面去的人", "", false}}, "不要相信任何让您把钱转到所谓的安全账户里面去的人",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, Check(tt.text)); diff != "" {
				t.Errorf("Check(%q) (-want +got):\n%s", tt.text, diff)
			}
			if got := Fix(tt.text); got != tt.fix {
				t.Errorf("Fix(%q) = %q, want %q", tt.text, got, tt.fix)
			}
		})
	}
}

func TestLongTextsAreWarnedOfAndRefused(t *testing.T) {
	for n, must := range map[int]bool{200: false, 600: true} {
		found := Check(strings.Repeat("好，", n/2))
		if len(found) != 1 || found[0].Rule != Long || found[0].Must != must {
			t.Errorf("%d characters: %+v, want one finding that blocks: %v", n, found, must)
		}
	}
}

func TestReadingsStandForTheirWords(t *testing.T) {
	const text = "到银行[yin2 hang2]去"
	if got, want := Plain(text), "到银行去"; got != want {
		t.Errorf("Plain(%q) = %q, want %q", text, got, want)
	}
	if got, want := Pinyin(text), "到 yin2 hang2 去"; got != want {
		t.Errorf("Pinyin(%q) = %q, want %q", text, got, want)
	}
}

func FuzzCheck(f *testing.F) {
	for text := range samples {
		f.Add(text)
	}
	f.Add("打96110[a1")
	f.Add("银行[yin2 hang2]App 20-50 18:30%]")
	f.Fuzz(func(t *testing.T, text string) {
		if !utf8.ValidString(text) {
			return
		}
		r := []rune(text)
		for _, g := range Check(text) {
			if g.At < 0 || g.At > len(r) {
				t.Fatalf("a finding at %d of %d characters", g.At, len(r))
			}
			if g.Suggest != "" && string(r[g.At:g.At+len([]rune(g.Text))]) != g.Text {
				t.Fatalf("%+v is not where it says in %q", g, text)
			}
		}
		once := Fix(text)
		if twice := Fix(once); twice != once {
			t.Fatalf("Fix(%q) = %q and then %q", text, once, twice)
		}
		_, _ = Pinyin(text), Length(text)
	})
}
