package robot

import (
	"encoding/json"
	"fmt"
	"net/url"
	"time"

	"gatecast/controller/fleet"
)

// wecom is 企业微信: the key in the address is the only secret. Texts are used
// and not markdown, because only texts mention people.
type wecom struct{}

// maxWeCom is the longest text, in bytes.
const maxWeCom = 2048

func (wecom) allows(u *url.URL) bool {
	return u.Host == "qyapi.weixin.qq.com" && isWeCom(u)
}

func isWeCom(u *url.URL) bool {
	return u.Path == "/cgi-bin/webhook/send" && u.Query().Get("key") != ""
}

// limits are 20 messages a minute: 5 + 60/4.
func (wecom) limits() limits { return limits{burst: 5, rate: 0.25, penalty: time.Minute} }

func (wecom) request(m message, target fleet.RobotTarget, _ time.Time) (call, error) {
	type text struct {
		Content  string   `json:"content"`
		Mentions []string `json:"mentioned_mobile_list,omitempty"`
	}
	mentions := append([]string(nil), target.Mobiles...)
	if m.MentionAll {
		mentions = append(mentions, "@all")
	}
	body, err := encode(struct {
		Type string `json:"msgtype"`
		Text text   `json:"text"`
	}{"text", text{cut(tidy(m.opening()+"\n"+m.Text), maxWeCom), mentions}})
	return call{url: target.URL, body: body}, err
}

func (wecom) verdict(body []byte) reply {
	code, said, ok := errcode(body)
	switch {
	case !ok:
		return reply{fleet.FaultServer, said}
	case code == 0:
		return reply{said: said}
	case code == 45009, code == 45033, busy(said): // frequency, concurrency
		return reply{fleet.FaultRate, said}
	case code == -1, code == 50001:
		return reply{fleet.FaultServer, said}
	case code == 93000, code == 93004, code == 40013, code == 40014: // the robot is gone
		return reply{fleet.FaultKey, said}
	case code == 40058, code == 45002, code == 44004:
		return reply{fleet.FaultSize, said}
	case code == 60020:
		return reply{fleet.FaultAddress, said}
	}
	return reply{fleet.FaultRefused, said}
}

// errcode reads the answer of WeCom and DingTalk, with what it says in one
// line. What is no such answer is no success.
func errcode(body []byte) (code int, said string, ok bool) {
	var v struct {
		Code *int   `json:"errcode"`
		Text string `json:"errmsg"`
	}
	if json.Unmarshal(body, &v) != nil || v.Code == nil {
		return 0, "no answer of the platform", false
	}
	return *v.Code, fmt.Sprintf("%d %s", *v.Code, v.Text), true
}
