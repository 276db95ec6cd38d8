package robot

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"gatecast/controller/fleet"
)

// feishu is 飞书. Its text is plain; the only mention without the number of a
// person is that of all.
type feishu struct{}

// maxFeishu bounds a request, in bytes: 20 KB, whichever thousand is meant.
const maxFeishu = 20_000

const feishuPath = "/open-apis/bot/v2/hook/"

func (feishu) allows(u *url.URL) bool { return u.Host == "open.feishu.cn" && isFeishu(u) }

func isFeishu(u *url.URL) bool {
	key, ok := strings.CutPrefix(u.Path, feishuPath)
	return ok && key != "" && !strings.Contains(key, "/") && u.RawQuery == ""
}

// limits are 5 messages a second, 4 + 1, and with that 64 a minute of the 100.
func (feishu) limits() limits {
	return limits{burst: 4, rate: 1, penalty: time.Minute, crowded: true}
}

func (feishu) request(m message, target fleet.RobotTarget, now time.Time) (call, error) {
	type content struct {
		Text string `json:"text"`
	}
	type request struct {
		Timestamp string  `json:"timestamp,omitempty"`
		Sign      string  `json:"sign,omitempty"`
		Type      string  `json:"msg_type"`
		Content   content `json:"content"`
	}
	r := request{Type: "text"}
	if target.Secret != "" {
		s := now.Unix()
		r.Timestamp, r.Sign = strconv.FormatInt(s, 10), signFeishu(s, target.Secret)
	}
	mention := ""
	if m.MentionAll {
		mention = `<at user_id="all">所有人</at> `
	}
	head := mention + plainTags.Replace(cut(tidy(m.opening()), 300)) + "\n"
	body, err := fit(plainTags.Replace(tidy(m.Text)), maxFeishu, func(text string) any {
		r.Content.Text = head + text
		return r
	})
	return call{url: target.URL, body: body}, err
}

// signFeishu is the signature: time and secret are the key, and the text is
// empty.
func signFeishu(s int64, secret string) string {
	h := hmac.New(sha256.New, []byte(strconv.FormatInt(s, 10)+"\n"+secret))
	return base64.StdEncoding.EncodeToString(h.Sum(nil))
}

func (feishu) verdict(body []byte) reply {
	var v struct {
		Code    *int   `json:"code"`
		Text    string `json:"msg"`
		OldCode *int   `json:"StatusCode"` // the form of the first version, still in use
		OldText string `json:"StatusMessage"`
	}
	_ = json.Unmarshal(body, &v) // what is no JSON has no code
	if v.Code == nil {
		v.Code, v.Text = v.OldCode, v.OldText
	}
	if v.Code == nil {
		return reply{fleet.FaultServer, "no answer of the platform"}
	}
	said := fmt.Sprintf("%d %s", *v.Code, v.Text)
	switch {
	case *v.Code == 0:
		return reply{said: said}
	case *v.Code == 11232, busy(said): // 9499 is either too many requests or a bad one
		return reply{fleet.FaultRate, said}
	case *v.Code == 2200:
		return reply{fleet.FaultServer, said}
	case *v.Code == 19021:
		return reply{fleet.FaultSign, said}
	case *v.Code == 19022:
		return reply{fleet.FaultAddress, said}
	case *v.Code == 19024:
		return reply{fleet.FaultKeyword, said}
	case *v.Code == 19001:
		return reply{fleet.FaultKey, said}
	}
	return reply{fleet.FaultRefused, said}
}
