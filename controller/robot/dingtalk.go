package robot

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"gatecast/controller/fleet"
)

// dingtalk is 钉钉. A robot that sends more than 20 messages a minute is
// silenced for ten.
type dingtalk struct{}

// maxDingTalk bounds a request, in bytes; the platform names no figure and
// refuses texts of 20,000.
const maxDingTalk = 18_000

func (dingtalk) allows(u *url.URL) bool { return u.Host == "oapi.dingtalk.com" && isDingTalk(u) }

func isDingTalk(u *url.URL) bool {
	return u.Path == "/robot/send" && u.Query().Get("access_token") != ""
}

// limits are 20 messages a minute, too; ten minutes are kept to the second
// and a little more.
func (dingtalk) limits() limits {
	return limits{burst: 5, rate: 0.25, penalty: 10*time.Minute + 5*time.Second}
}

type dingtalkAt struct {
	Mobiles []string `json:"atMobiles"`
	All     bool     `json:"isAtAll"`
}

// request sends markdown, and a text where members are mentioned: in markdown
// their numbers would have to stand in the text for all to read.
func (dingtalk) request(m message, target fleet.RobotTarget, now time.Time) (call, error) {
	at := dingtalkAt{append([]string{}, target.Mobiles...), m.MentionAll}
	title := cut(plainMarkdown.Replace(tidy(m.opening())), 300)
	body, err := fit(tidy(m.Text), maxDingTalk, func(text string) any {
		if len(at.Mobiles) > 0 {
			return map[string]any{"msgtype": "text", "text": map[string]string{"content": title + "\n" + text}, "at": at}
		}
		var b strings.Builder
		fmt.Fprintf(&b, "#### %s", title)
		for line := range strings.SplitSeq(text, "\n") {
			b.WriteString("\n\n" + plainMarkdown.Replace(line)) // a single line end is none in markdown
		}
		return map[string]any{"msgtype": "markdown", "markdown": map[string]string{"title": title, "text": b.String()}, "at": at}
	})
	c := call{url: target.URL, body: body}
	if target.Secret != "" {
		ms := now.UnixMilli()
		c.url += fmt.Sprintf("&timestamp=%d&sign=%s", ms, url.QueryEscape(signDingTalk(ms, target.Secret)))
	}
	return c, err
}

// signDingTalk is the signature before it is escaped for the address: the
// secret is the key, and the text the time and the secret.
func signDingTalk(ms int64, secret string) string {
	h := hmac.New(sha256.New, []byte(secret))
	h.Write([]byte(strconv.FormatInt(ms, 10) + "\n" + secret))
	return base64.StdEncoding.EncodeToString(h.Sum(nil))
}

func (dingtalk) verdict(body []byte) reply {
	code, said, ok := errcode(body)
	low := strings.ToLower(said)
	switch {
	case !ok:
		return reply{fleet.FaultServer, said}
	case code == 0:
		return reply{said: said}
	case code == 130101, code == 410100, code == 660026, busy(said):
		return reply{fleet.FaultRate, said}
	case code == -1:
		return reply{fleet.FaultServer, said}
	case code == 310000: // one code for three settings of the group
		switch {
		case strings.Contains(low, "keyword"):
			return reply{fleet.FaultKeyword, said}
		case strings.Contains(low, "whitelist"), strings.Contains(low, "ip "):
			return reply{fleet.FaultAddress, said}
		}
		return reply{fleet.FaultSign, said}
	case code == 300001, code == 300005, code == 400101, code == 400102, code == 400106, code == 400013:
		return reply{fleet.FaultKey, said}
	case strings.Contains(low, "too long"), strings.Contains(low, "20000 bytes"):
		return reply{fleet.FaultSize, said}
	}
	return reply{fleet.FaultRefused, said}
}
