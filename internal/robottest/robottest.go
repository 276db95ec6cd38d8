// Package robottest is a server that takes messages like the group robots of
// WeCom, DingTalk and Feishu, for tests: it checks addresses, signatures,
// keywords and sizes, keeps count by its own clock, and answers as they do when
// there is too much.
//
// It is written from the platforms' rules and not from the code that is tested
// with it. A Server is safe for concurrent use.
package robottest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"time"
)

// What opens the server's robots.
const (
	Key            = "693a91f6-7xxx-4bc4-97a0-0ec2sifa5aaa"
	Token          = "bf3ad0e7c5e1"
	DingTalkSecret = "SECf3b1c0ffee"
	Hook           = "0a1b2c3d-hook"
	FeishuSecret   = "feishu-secret-1"
)

// Message is one that was taken.
type Message struct {
	At       time.Time
	Platform string // wecom, dingtalk, feishu or webhook
	Text     string
	Mentions []string // numbers, or "@all"
	Header   http.Header
	Body     []byte
}

// Server stands in for the platforms.
type Server struct {
	*httptest.Server
	Now     func() time.Time // immutable after New
	Keyword string           // that DingTalk and Feishu demand; set before use

	mu      sync.Mutex
	taken   []Message
	asked   map[string][]time.Time // by platform, requests that counted
	blocked time.Time              // DingTalk, until then
	status  int                    // answered instead, while times > 0
	times   int
	hang    chan struct{} // closed to let go of those that hang; nil for none
	calls   int
}

// New starts a server that tells the time by now.
func New(now func() time.Time) *Server {
	s := &Server{Now: now, asked: map[string][]time.Time{}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /cgi-bin/webhook/send", s.take(s.wecom))
	mux.HandleFunc("POST /robot/send", s.take(s.dingtalk))
	mux.HandleFunc("POST /open-apis/bot/v2/hook/{hook}", s.take(s.feishu))
	mux.HandleFunc("POST /in", s.take(s.webhook))
	s.Server = httptest.NewServer(mux)
	return s
}

// Host is the server's host:port.
func (s *Server) Host() string { return strings.TrimPrefix(s.URL, "http://") }

// Addresses of the robots.
func (s *Server) WeCom() string    { return s.URL + "/cgi-bin/webhook/send?key=" + Key }
func (s *Server) DingTalk() string { return s.URL + "/robot/send?access_token=" + Token }
func (s *Server) Feishu() string   { return s.URL + "/open-apis/bot/v2/hook/" + Hook }
func (s *Server) Webhook() string  { return s.URL + "/in" }

// Fail has the next requests answered with a status and no JSON.
func (s *Server) Fail(status, times int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status, s.times = status, times
}

// Hang has every request wait until the returned function is called.
func (s *Server) Hang() (release func()) {
	c := make(chan struct{})
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hang = c
	return sync.OnceFunc(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.hang = nil
		close(c)
	})
}

// Taken returns the messages that were taken, in order.
func (s *Server) Taken() []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Message(nil), s.taken...)
}

// Calls counts the requests that came, taken or not.
func (s *Server) Calls() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls
}

// answer is what a platform says: a status and JSON; nil is for no JSON.
type answer struct {
	status int
	body   any
}

func (s *Server) take(h func(r *http.Request, body []byte) (answer, *Message)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		s.mu.Lock()
		s.calls++
		hang, status := s.hang, 0
		if s.times > 0 {
			s.times--
			status = s.status
		}
		s.mu.Unlock()
		if hang != nil {
			select {
			case <-hang:
			case <-r.Context().Done():
				return
			}
		}
		if status != 0 {
			w.WriteHeader(status)
			return
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		a, m := h(r, body)
		if m != nil {
			m.At, m.Header, m.Body = s.Now(), r.Header.Clone(), body
			s.taken = append(s.taken, *m)
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(a.status)
		_ = json.NewEncoder(w).Encode(a.body)
	}
}

// within counts a request and reports whether the platform has seen no more
// than most in the window before it. A refused one counts, too.
func (s *Server) within(platform string, window time.Duration, most int) bool {
	now, n := s.Now(), 0
	for _, t := range s.asked[platform] {
		if now.Sub(t) < window {
			n++
		}
	}
	return n <= most
}

func (s *Server) count(platform string) { s.asked[platform] = append(s.asked[platform], s.Now()) }

func errcode(code int, text string) answer {
	return answer{http.StatusOK, map[string]any{"errcode": code, "errmsg": text}}
}

func (s *Server) wecom(r *http.Request, body []byte) (answer, *Message) {
	if r.URL.Query().Get("key") != Key {
		return errcode(93000, "invalid webhook url, hint: [1, 2]"), nil
	}
	if s.count("wecom"); !s.within("wecom", time.Minute, 20) {
		return errcode(45009, "api freq out of limit"), nil
	}
	var v struct {
		Type string `json:"msgtype"`
		Text struct {
			Content string   `json:"content"`
			Mobiles []string `json:"mentioned_mobile_list"`
		} `json:"text"`
	}
	if json.Unmarshal(body, &v) != nil || v.Type != "text" || v.Text.Content == "" {
		return errcode(40008, "invalid message type"), nil
	}
	if len(v.Text.Content) > 2048 {
		return errcode(40058, "content exceed max length. invalid Request Parameter"), nil
	}
	return errcode(0, "ok"), &Message{Platform: "wecom", Text: v.Text.Content, Mentions: v.Text.Mobiles}
}

func (s *Server) dingtalk(r *http.Request, body []byte) (answer, *Message) {
	q := r.URL.Query()
	if q.Get("access_token") != Token {
		return errcode(300005, "token is not exist"), nil
	}
	now := s.Now()
	s.count("dingtalk")
	if now.Before(s.blocked) || !s.within("dingtalk", time.Minute, 20) {
		if !now.Before(s.blocked) {
			s.blocked = now.Add(10 * time.Minute)
		}
		return errcode(130101, "send too fast, exceed 20 times per minute"), nil
	}
	ms, err := strconv.ParseInt(q.Get("timestamp"), 10, 64)
	if err != nil {
		return errcode(310000, "sign not match, more: [https://ding-doc.dingtalk.com/]"), nil
	}
	h := hmac.New(sha256.New, []byte(DingTalkSecret))
	fmt.Fprintf(h, "%d\n%s", ms, DingTalkSecret)
	want := base64.StdEncoding.EncodeToString(h.Sum(nil))
	if q.Get("sign") != want || now.Sub(time.UnixMilli(ms)).Abs() > time.Hour {
		return errcode(310000, "sign not match, more: [https://ding-doc.dingtalk.com/]"), nil
	}
	var v struct {
		Type     string `json:"msgtype"`
		Markdown struct {
			Title string `json:"title"`
			Text  string `json:"text"`
		} `json:"markdown"`
		Text struct {
			Content string `json:"content"`
		} `json:"text"`
		At struct {
			Mobiles []string `json:"atMobiles"`
			All     bool     `json:"isAtAll"`
		} `json:"at"`
	}
	if json.Unmarshal(body, &v) != nil || (v.Type == "markdown" && (v.Markdown.Title == "" || v.Markdown.Text == "")) || (v.Type == "text" && v.Text.Content == "") {
		return errcode(40035, "invalid parameter"), nil
	}
	text := v.Markdown.Text + v.Text.Content
	if len(text) > 20000 {
		return errcode(460101, "message too long, exceed 20000 bytes"), nil
	}
	if s.Keyword != "" && !strings.Contains(text, s.Keyword) {
		return errcode(310000, "keywords not in content, more: [https://ding-doc.dingtalk.com/]"), nil
	}
	m := &Message{Platform: "dingtalk", Text: text, Mentions: v.At.Mobiles}
	if v.At.All {
		m.Mentions = append(m.Mentions, "@all")
	}
	return errcode(0, "ok"), m
}

func code(status, n int, text string) answer {
	return answer{status, map[string]any{"code": n, "msg": text, "data": map[string]any{}}}
}

func (s *Server) feishu(r *http.Request, body []byte) (answer, *Message) {
	if r.PathValue("hook") != Hook {
		return code(200, 19001, "param invalid: incoming webhook access token invalid"), nil
	}
	if s.count("feishu"); !s.within("feishu", time.Minute, 100) {
		return code(400, 9499, "too many request"), nil
	}
	if !s.within("feishu", time.Second, 5) {
		return code(200, 11232, "frequency limited psm[lark.oapi.app_platform_runtime]appID[0]"), nil
	}
	if len(body) > 20<<10 {
		return code(400, 9499, "Bad Request"), nil
	}
	var v struct {
		Timestamp string `json:"timestamp"`
		Sign      string `json:"sign"`
		Type      string `json:"msg_type"`
		Content   struct {
			Text string `json:"text"`
		} `json:"content"`
	}
	if json.Unmarshal(body, &v) != nil || v.Type != "text" || v.Content.Text == "" {
		return code(400, 9499, "Bad Request"), nil
	}
	at, err := strconv.ParseInt(v.Timestamp, 10, 64)
	h := hmac.New(sha256.New, []byte(v.Timestamp+"\n"+FeishuSecret))
	if err != nil || v.Sign != base64.StdEncoding.EncodeToString(h.Sum(nil)) || s.Now().Sub(time.Unix(at, 0)).Abs() > time.Hour {
		return code(200, 19021, "sign match fail or timestamp is not within one hour from current time"), nil
	}
	if s.Keyword != "" && !strings.Contains(v.Content.Text, s.Keyword) {
		return code(200, 19024, "Key Words Not Found"), nil
	}
	m := &Message{Platform: "feishu", Text: v.Content.Text}
	if strings.Contains(v.Content.Text, `<at user_id="all">`) {
		m.Mentions = []string{"@all"}
	}
	return answer{200, map[string]any{"StatusCode": 0, "StatusMessage": "success", "code": 0, "msg": "success", "data": map[string]any{}}}, m
}

func (s *Server) webhook(_ *http.Request, body []byte) (answer, *Message) {
	return answer{http.StatusOK, map[string]any{}}, &Message{Platform: "webhook", Text: string(body)}
}
