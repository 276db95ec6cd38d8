package robot

import (
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"gatecast/controller/fleet"
)

// The vectors of this test were computed with another implementation, Python's
// hmac.
func TestSignatures(t *testing.T) {
	if got, want := signDingTalk(1700000000000, "SECtest123"), "w3RMHXzixTMdzr8OHJUmVLS4IoPJVdu+Ut1LE48MePE="; got != want {
		t.Errorf("signDingTalk = %q, want %q", got, want)
	}
	if got, want := signFeishu(1700000000, "demo"), "8oT2n3SMKFfEnDoiwer8BUM/SjKLwe9SqoEIHlhDTKo="; got != want {
		t.Errorf("signFeishu = %q, want %q", got, want)
	}
	if got, want := Sign("whsec", time.Unix(1700000000, 999), []byte(`{"events":[]}`)), "v1=d5cebb38cfa8b6704bfba53eb3c4d44ecd08c1f9a9944337dc4ddfed63383ee1"; got != want {
		t.Errorf("Sign = %q, want %q", got, want)
	}
}

// TestRequests holds the form of each platform to what stands in its rules,
// byte by byte.
func TestRequests(t *testing.T) {
	now := time.Unix(1700000000, 0)
	m := message{ID: 7, Title: "广播简报", Text: "未播 1 处", Keyword: "反诈"}
	all := m
	all.MentionAll = true
	tests := []struct {
		name     string
		platform fleet.Platform
		m        message
		target   fleet.RobotTarget
		url      string
		body     string
	}{
		{"wecom", fleet.WeCom, m, fleet.RobotTarget{URL: "https://a/?key=k"}, "https://a/?key=k", `{"msgtype":"text","text":{"content":"【反诈】广播简报\n未播 1 处"}}`},
		{
			"wecom_mentions", fleet.WeCom, all, fleet.RobotTarget{URL: "https://a/?key=k", Mobiles: []string{"13800000421"}}, "https://a/?key=k",
			`{"msgtype":"text","text":{"content":"【反诈】广播简报\n未播 1 处","mentioned_mobile_list":["13800000421","@all"]}}`,
		},
		{
			"dingtalk", fleet.DingTalk, all, fleet.RobotTarget{URL: "https://a/?access_token=k", Secret: "SECtest123"},
			"https://a/?access_token=k&timestamp=1700000000000&sign=" + url.QueryEscape(signDingTalk(1700000000000, "SECtest123")),
			`{"at":{"atMobiles":[],"isAtAll":true},"markdown":{"text":"#### 【反诈】广播简报\n\n未播 1 处","title":"【反诈】广播简报"},"msgtype":"markdown"}`,
		},
		{
			"dingtalk_mentions", fleet.DingTalk, m, fleet.RobotTarget{URL: "https://a/?access_token=k", Mobiles: []string{"13800000421"}}, "https://a/?access_token=k",
			`{"at":{"atMobiles":["13800000421"],"isAtAll":false},"msgtype":"text","text":{"content":"【反诈】广播简报\n未播 1 处"}}`,
		},
		{
			"feishu", fleet.Feishu, all, fleet.RobotTarget{URL: "https://a/hook", Secret: "demo"}, "https://a/hook",
			`{"timestamp":"1700000000","sign":"8oT2n3SMKFfEnDoiwer8BUM/SjKLwe9SqoEIHlhDTKo=","msg_type":"text","content":{"text":"<at user_id=\"all\">所有人</at> 【反诈】广播简报\n未播 1 处"}}`,
		},
		{"feishu_unsigned", fleet.Feishu, m, fleet.RobotTarget{URL: "https://a/hook"}, "https://a/hook", `{"msg_type":"text","content":{"text":"【反诈】广播简报\n未播 1 处"}}`},
		{"webhook", fleet.Webhook, message{ID: 7, Text: `{"events":[]}`}, fleet.RobotTarget{URL: "https://a/in", Secret: "whsec"}, "https://a/in", `{"events":[]}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, err := platformOf(tt.platform).request(tt.m, tt.target, now)
			if err != nil || c.url != tt.url || string(c.body) != tt.body {
				t.Errorf("request = %s\n%s\n%v, want %s\n%s", c.url, c.body, err, tt.url, tt.body)
			}
			if tt.platform == fleet.Webhook && (c.header.Get(HeaderSignature) != "v1=d5cebb38cfa8b6704bfba53eb3c4d44ecd08c1f9a9944337dc4ddfed63383ee1" || c.header.Get(HeaderDelivery) != "7" || c.header.Get(HeaderTimestamp) != "1700000000") {
				t.Errorf("header = %v", c.header)
			}
		})
	}
}

// TestNothingIsTooLong sends what is far too long: what goes out is within
// what the platform takes, whole characters, and says that it was cut.
func TestNothingIsTooLong(t *testing.T) {
	for _, text := range []string{strings.Repeat("松", 30_000), strings.Repeat("\"\\\n", 20_000), strings.Repeat("a松", 20_000), strings.Repeat("[x](y)", 9000), "\xff\xfe" + strings.Repeat("好\x00", 9000)} {
		for p, most := range map[fleet.Platform]int{fleet.DingTalk: maxDingTalk, fleet.Feishu: maxFeishu} {
			c, err := platformOf(p).request(message{Title: strings.Repeat("长", 5000), Text: text, Keyword: "反诈"}, fleet.RobotTarget{URL: "https://a/?x=y", Secret: "s"}, time.Unix(1700000000, 0))
			if err != nil || len(c.body) > most || len(c.body) < most*9/10 || !utf8.Valid(c.body) || !strings.Contains(string(c.body), "…（其余见系统") || !strings.Contains(string(c.body), "反诈") {
				t.Errorf("%s: %d bytes of %d, %v: %.80q … %q", p, len(c.body), most, err, c.body, c.body[max(0, len(c.body)-80):])
			}
		}
		c, err := wecom{}.request(message{Title: "简报", Text: text}, fleet.RobotTarget{}, time.Time{})
		if err != nil || !utf8.Valid(c.body) {
			t.Errorf("wecom: %v, %.80q", err, c.body)
		}
	}
}

func TestTextsAreHarmless(t *testing.T) {
	m := message{Title: "简报", Text: "李工 13800000421 [点我](http://evil.example) <at user_id=\"all\"></at>\x07"}
	for _, p := range []fleet.Platform{fleet.WeCom, fleet.DingTalk, fleet.Feishu} {
		c, err := platformOf(p).request(m, fleet.RobotTarget{URL: "https://a/?x"}, time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		body := string(c.body)
		if strings.Contains(body, "13800000421") || !strings.Contains(body, "138") || strings.Contains(body, "u0007") {
			t.Errorf("%s: %s", p, body)
		}
		if p == fleet.DingTalk && strings.Contains(body, "](") || p == fleet.Feishu && strings.Contains(body, "<at") {
			t.Errorf("%s: a name became a link or a mention: %s", p, body)
		}
	}
}

func TestAnswers(t *testing.T) {
	tests := []struct {
		platform fleet.Platform
		body     string
		want     fleet.LetterFault
	}{
		{fleet.WeCom, `{"errcode":0,"errmsg":"ok"}`, fleet.FaultNone},
		{fleet.WeCom, `{"errcode":45009,"errmsg":"api freq out of limit"}`, fleet.FaultRate},
		{fleet.WeCom, `{"errcode":93000,"errmsg":"invalid webhook url"}`, fleet.FaultKey},
		{fleet.WeCom, `{"errcode":40058,"errmsg":"content exceed max length"}`, fleet.FaultSize},
		{fleet.WeCom, `{"errcode":40008,"errmsg":"invalid message type"}`, fleet.FaultRefused},
		{fleet.WeCom, `{"errcode":-1,"errmsg":"system busy"}`, fleet.FaultServer},
		{fleet.WeCom, `{}`, fleet.FaultServer},
		{fleet.WeCom, `<html>proxy</html>`, fleet.FaultServer},
		{fleet.DingTalk, `{"errcode":0,"errmsg":"ok"}`, fleet.FaultNone},
		{fleet.DingTalk, `{"errcode":130101,"errmsg":"send too fast, exceed 20 times per minute"}`, fleet.FaultRate},
		{fleet.DingTalk, `{"errcode":660026,"errmsg":"x"}`, fleet.FaultRate},
		{fleet.DingTalk, `{"errcode":310000,"errmsg":"sign not match"}`, fleet.FaultSign},
		{fleet.DingTalk, `{"errcode":310000,"errmsg":"keywords not in content"}`, fleet.FaultKeyword},
		{fleet.DingTalk, `{"errcode":310000,"errmsg":"ip 1.2.3.4 not in whitelist"}`, fleet.FaultAddress},
		{fleet.DingTalk, `{"errcode":300005,"errmsg":"token is not exist"}`, fleet.FaultKey},
		{fleet.DingTalk, `{"errcode":460101,"errmsg":"message too long, exceed 20000 bytes"}`, fleet.FaultSize},
		{fleet.Feishu, `{"code":0,"msg":"success"}`, fleet.FaultNone},
		{fleet.Feishu, `{"StatusCode":0,"StatusMessage":"success"}`, fleet.FaultNone},
		{fleet.Feishu, `{"code":11232,"msg":"frequency limited"}`, fleet.FaultRate},
		{fleet.Feishu, `{"code":9499,"msg":"too many request"}`, fleet.FaultRate},
		{fleet.Feishu, `{"code":9499,"msg":"Bad Request"}`, fleet.FaultRefused},
		{fleet.Feishu, `{"code":19021,"msg":"sign match fail or timestamp is not within one hour from current time"}`, fleet.FaultSign},
		{fleet.Feishu, `{"code":19022,"msg":"Ip Not Allowed"}`, fleet.FaultAddress},
		{fleet.Feishu, `{"code":19024,"msg":"Key Words Not Found"}`, fleet.FaultKeyword},
		{fleet.Feishu, `{"code":19001,"msg":"param invalid"}`, fleet.FaultKey},
		{fleet.Feishu, `ok`, fleet.FaultServer},
	}
	for _, tt := range tests {
		if got := platformOf(tt.platform).verdict([]byte(tt.body)); got.fault != tt.want {
			t.Errorf("%s %s = %q, want %q", tt.platform, tt.body, got.fault, tt.want)
		}
	}
}

// TestBucketsHoldInEveryWindow asks as fast as a bucket lets one, and counts
// in every window of the platform's rule.
func TestBucketsHoldInEveryWindow(t *testing.T) {
	for p, rules := range map[fleet.Platform]map[time.Duration]int{
		fleet.WeCom: {time.Minute: 20}, fleet.DingTalk: {time.Minute: 20}, fleet.Feishu: {time.Minute: 100, time.Second: 5},
	} {
		l := platformOf(p).limits()
		now := time.Date(2026, 11, 23, 10, 1, 0, 0, time.UTC)
		var tokens float64
		var at time.Time
		var sent []time.Time
		for range 300 {
			when, held := l.passes(tokens, at, now)
			now, tokens, at = when, held-1, when
			sent = append(sent, when)
		}
		for window, most := range rules {
			for i := range sent {
				n := 0
				for _, s := range sent[i:] {
					if s.Sub(sent[i]) < window {
						n++
					}
				}
				if n > most {
					t.Errorf("%s: %d in %s, want %d at most", p, n, window, most)
				}
			}
		}
		if spread := sent[299].Sub(sent[0]); spread > 300*5*time.Second {
			t.Errorf("%s: 300 messages take %s", p, spread)
		}
	}
}

func TestCrowdedMinutesAreAvoided(t *testing.T) {
	day := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	for m := range 60 {
		for _, s := range []int{0, 30, 59} {
			at := day.Add(time.Duration(m)*time.Minute + time.Duration(s)*time.Second)
			got := feishu{}.limits().uncrowded(at)
			if got.Minute()%30 == 0 || got.Before(at) || got.Sub(at) > 70*time.Second || (m%30 != 0 && !got.Equal(at)) {
				t.Errorf("uncrowded(%s) = %s", at, got)
			}
		}
	}
	if got := (wecom{}).limits().uncrowded(day); !got.Equal(day) {
		t.Errorf("WeCom waits until %s", got)
	}
}

func FuzzCut(f *testing.F) {
	f.Add("松风苑南门", 7)
	f.Add("\xff\xfe", 1)
	f.Add("abc", 0)
	f.Fuzz(func(t *testing.T, text string, most int) {
		most = min(max(most, 0), 1<<20)
		got := cut(text, most)
		if len(got) > most || !utf8.ValidString(got) {
			t.Errorf("cut(%q, %d) = %q", text, most, got)
		}
		if whole := strings.ToValidUTF8(text, "�"); len(whole) <= most && got != whole {
			t.Errorf("cut(%q, %d) = %q, though it fits", text, most, got)
		}
	})
}
