package robot

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"gatecast/controller/fleet"
)

// message is what is sent, before it takes the form of a platform.
type message struct {
	ID         fleet.LetterID
	Title      string
	Text       string // or the JSON of a webhook
	Keyword    string
	MentionAll bool
}

// platform is what one of them demands.
type platform interface {
	// allows reports whether u is where its robots are.
	allows(u *url.URL) bool
	// request returns the request that delivers m to target.
	request(m message, target fleet.RobotTarget, now time.Time) (call, error)
	// verdict reads an answer with status 200.
	verdict(body []byte) reply
	limits() limits
}

// call is an HTTP POST of JSON.
type call struct {
	url    string
	body   []byte
	header http.Header // beside Content-Type; may be nil
}

// reply is what an answer means. The zero value is success.
type reply struct {
	fault fleet.LetterFault
	said  string
}

// limits are how often a platform may be asked. A bucket of burst that fills
// with rate a second never passes more than burst + 60·rate in any minute.
type limits struct {
	burst   float64
	rate    float64       // tokens a second
	penalty time.Duration // to wait after the platform said that it was too much
	crowded bool          // everybody sends at :00 and :30; so better not then
}

func platformOf(p fleet.Platform) platform {
	switch p {
	case fleet.WeCom:
		return wecom{}
	case fleet.DingTalk:
		return dingtalk{}
	case fleet.Feishu:
		return feishu{}
	case fleet.Webhook:
		return webhook{}
	}
	return nil
}

// passes returns when a bucket that held tokens at a time has one to give, and
// what it holds then, before it is taken. A bucket that was never used begins
// full.
func (l limits) passes(tokens float64, at, now time.Time) (when time.Time, held float64) {
	if at.IsZero() {
		return now, l.burst
	}
	since := max(now.Sub(at), 0).Seconds() // a clock that was set back gives nothing
	held = min(tokens+since*l.rate, l.burst)
	if held >= 1 {
		return now, held
	}
	return now.Add(time.Duration((1 - held) / l.rate * float64(time.Second))), 1
}

// uncrowded moves a time out of the minutes in which everybody sends.
func (l limits) uncrowded(at time.Time) time.Time {
	if l.crowded && at.Minute()%30 == 0 {
		return at.Truncate(time.Minute).Add(time.Minute + 7*time.Second)
	}
	return at
}

// busy reports whether a message of the other side speaks of too many
// messages: the codes for that have changed over the years, the words less.
func busy(said string) bool {
	said = strings.ToLower(said)
	for _, sign := range []string{"too fast", "too many", "frequen", "freq out of limit", "rate limit", "exceed 20 times", "频率", "限流", "过快"} {
		if strings.Contains(said, sign) {
			return true
		}
	}
	return false
}
