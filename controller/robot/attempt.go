package robot

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"gatecast/controller/fleet"
)

// After so many attempts a message is given up: to a chat five hours after the
// first, to a webhook after a day, as events are wanted later, too.
const (
	maxAttempts = 8
	maxPatient  = 30
)

// wait is how long after attempt n the next one is made: 10 s, 40 s, 160 s …
// up to an hour.
func wait(n int) time.Duration {
	d := 10 * time.Second
	for ; n > 1 && d < time.Hour; n-- {
		d *= 4
	}
	return min(d, time.Hour)
}

// lasting are the faults that time does not mend.
var lasting = map[fleet.LetterFault]bool{
	fleet.FaultSign: true, fleet.FaultKeyword: true, fleet.FaultAddress: true, fleet.FaultKey: true, fleet.FaultSize: true, fleet.FaultRefused: true, fleet.FaultConfig: true,
}

// attempt tries one message. That it is tried, and when it would be again, is
// on the disk before anything is sent: a crash in between costs one wait, and
// never floods anybody.
func (d *Desk) attempt(ctx context.Context, r fleet.Robot, l fleet.Letter, tokens float64, now time.Time) error {
	most := maxAttempts
	if !r.Platform.Chat() {
		most = maxPatient
	}
	if r.Platform.Chat() && now.Sub(l.Created) > oldest {
		l.State, l.Ended = fleet.LetterDead, now
		if l.Fault == fleet.FaultNone {
			l.Fault = fleet.FaultNetwork
		}
		return d.o.Store.NoteLetter(ctx, l, time.Time{})
	}
	l.Next = now.Add(wait(l.Attempts + 1))
	if err := d.o.Store.TryLetter(ctx, l.ID, now, l.Next, tokens); err != nil {
		return err
	}
	l.Attempts++
	l.Tried = now
	said, patience := d.post(ctx, r, l, now)
	if ctx.Err() != nil && said.fault == fleet.FaultNetwork {
		return nil // we stop; it is tried again after the next start
	}
	l.Fault, l.Answer = said.fault, said.said
	var hold time.Time
	switch {
	case said.fault == fleet.FaultNone:
		l.State, l.Ended = fleet.LetterSent, now
	case said.fault == fleet.FaultRate:
		hold = now.Add(max(platformOf(r.Platform).limits().penalty, patience))
		l.Attempts--
		l.Next = hold
	case lasting[said.fault], l.Attempts >= most:
		l.State, l.Ended = fleet.LetterDead, now
	}
	if l.Fault != fleet.FaultNone {
		d.o.Logger.Warn("a robot took no message", "robot", r.Name, "letter", l.ID, "attempts", l.Attempts, "state", string(l.State), "fault", string(l.Fault), "answer", l.Answer)
	}
	// Whoever ends the context: what was answered is kept.
	return d.o.Store.NoteLetter(context.WithoutCancel(ctx), l, hold)
}

// maxAnswer bounds what is read of an answer, in bytes.
const maxAnswer = 64 << 10

// post sends l and says what came of it, and for how long the other side
// wants to be left alone. No word of it has the address in it.
func (d *Desk) post(ctx context.Context, r fleet.Robot, l fleet.Letter, now time.Time) (reply, time.Duration) {
	target, err := d.o.Store.RobotTarget(ctx, r.ID)
	if err != nil {
		return reply{fleet.FaultConfig, "the key of sealed fields is missing or another one"}, 0
	}
	if _, err := d.parse(r.Platform, target.URL); err != nil {
		return reply{fleet.FaultConfig, "the address is not allowed by robots.allowed_hosts any more"}, 0
	}
	p := platformOf(r.Platform)
	c, err := p.request(message{ID: l.ID, Title: l.Title, Text: l.Body, Keyword: r.Keyword, MentionAll: r.MentionAll}, target, now)
	if err != nil {
		return reply{fleet.FaultConfig, err.Error()}, 0
	}
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(c.body))
	if err != nil {
		return reply{fleet.FaultConfig, "the address cannot be called"}, 0
	}
	for name, values := range c.header {
		req.Header[name] = values
	}
	req.Header.Set("Content-Type", "application/json; charset=utf-8")
	req.Header.Set("User-Agent", "gatecast")
	res, err := d.o.Client.Do(req)
	if err != nil {
		if e, ok := err.(*url.Error); ok { //nolint:errorlint // the client returns nothing else, and its text has the address
			err = e.Err
		}
		return reply{fleet.FaultNetwork, err.Error()}, 0
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return reply{fleet.FaultNetwork, "reading the answer: " + err.Error()}, 0
	}
	return read(p, r.Platform, res, body)
}

// read says what an answer means.
func read(p platform, kind fleet.Platform, res *http.Response, body []byte) (reply, time.Duration) {
	status := fmt.Sprintf("HTTP %d", res.StatusCode)
	var patience time.Duration
	if s, err := strconv.Atoi(res.Header.Get("Retry-After")); err == nil && s > 0 {
		patience = min(time.Duration(s)*time.Second, time.Hour)
	}
	if kind.Chat() {
		// Platforms say what is wrong in the body, whatever the status.
		v := p.verdict(body)
		if ok := res.StatusCode/100 == 2; !ok && (v.fault == fleet.FaultNone || v.fault == fleet.FaultServer) {
			v = reply{fleet.FaultServer, status + " " + v.said}
			if res.StatusCode == http.StatusTooManyRequests {
				v.fault = fleet.FaultRate
			}
		}
		return v, patience
	}
	switch s := res.StatusCode; {
	case s/100 == 2:
		return reply{said: status}, 0
	case s == http.StatusTooManyRequests, s == http.StatusServiceUnavailable && patience > 0:
		return reply{fleet.FaultRate, status}, patience
	case s >= 500, s == http.StatusRequestTimeout, s == http.StatusTooEarly:
		return reply{fleet.FaultServer, status}, 0
	case s == http.StatusUnauthorized, s == http.StatusForbidden:
		return reply{fleet.FaultSign, status}, 0
	case s == http.StatusNotFound, s == http.StatusGone:
		return reply{fleet.FaultKey, status}, 0
	case s == http.StatusRequestEntityTooLarge:
		return reply{fleet.FaultSize, status}, 0
	}
	return reply{fleet.FaultRefused, status}, 0
}
