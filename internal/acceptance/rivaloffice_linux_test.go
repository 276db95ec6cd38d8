package acceptance

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
	"golang.org/x/sys/unix"

	"gatecast/audio"
)

// rivalOffice collects what the others tell, and keeps everything: it never
// loses its power, but it can be away.
type rivalOffice struct {
	http, mqtt *cable
	cables     []*cable

	mu    sync.Mutex
	lines map[string][]string // by contender, as they came
}

func newRivalOffice(t *testing.T) *rivalOffice {
	t.Helper()
	o := &rivalOffice{lines: map[string][]string{}}
	web := httptest.NewServer(o)
	t.Cleanup(web.Close)
	broker := startMosquitto(t)
	o.http, o.mqtt = newCable(t, web.Listener.Addr().String()), newCable(t, broker)
	o.cables = []*cable{o.http, o.mqtt}
	opts := mqtt.NewClientOptions().AddBroker("tcp://" + broker).SetClientID("office").SetCleanSession(false)
	client := mqtt.NewClient(opts)
	if tok := client.Connect(); tok.WaitTimeout(10*time.Second) && tok.Error() != nil {
		t.Fatal(tok.Error())
	}
	t.Cleanup(func() { client.Disconnect(0) })
	if tok := client.Subscribe("rivals/#", 1, func(_ mqtt.Client, m mqtt.Message) { o.add("paho", string(m.Payload())) }); tok.WaitTimeout(10*time.Second) && tok.Error() != nil {
		t.Fatal(tok.Error())
	}
	return o
}

func (o *rivalOffice) setAway(away bool) {
	for _, c := range o.cables {
		c.setCut(away)
	}
}

func (o *rivalOffice) add(who, text string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.lines[who] = append(o.lines[who], strings.Split(strings.TrimSpace(text), "\n")...)
}

// ServeHTTP takes POST /WHO/lines, which adds, and PUT /WHO/log, which replaces.
func (o *rivalOffice) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	who, what, _ := strings.Cut(strings.Trim(r.URL.Path, "/"), "/")
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest) // half a request counts for nothing
		return
	}
	if what == "log" {
		o.mu.Lock()
		delete(o.lines, who)
		o.mu.Unlock()
	}
	o.add(who, string(body))
}

var playedLine = regexp.MustCompile(`played (\d+)$`)

func (o *rivalOffice) claims(who string) claims {
	o.mu.Lock()
	defer o.mu.Unlock()
	told := newClaims()
	for _, line := range o.lines[who] {
		if m := playedLine.FindStringSubmatch(line); m != nil {
			n, _ := strconv.Atoi(m[1]) // digits
			told.played[n]++
		}
	}
	return told
}

// startMosquitto starts a broker that keeps sessions and returns its address.
func startMosquitto(t *testing.T) string {
	t.Helper()
	addr, dir := freePort(t), t.TempDir()
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	conf := filepath.Join(dir, "mosquitto.conf")
	writeFile(t, conf, fmt.Sprintf("listener %s %s\nallow_anonymous true\npersistence true\npersistence_location %s/\nmax_queued_messages 0\nuser root\n", port, host, dir))
	log := &logbook{}
	showLogs(t, map[string]*logbook{"mosquitto": log})
	startProgram(t, log, "mosquitto", "-c", conf)
	eventually(t, 10*time.Second, func() string {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			return err.Error()
		}
		conn.Close()
		return ""
	})
	return addr
}

// mp3Of encodes a clip by lame and returns the file.
func mp3Of(t *testing.T, clip *audio.PCM) string {
	t.Helper()
	dir := t.TempDir()
	wav, mp3 := filepath.Join(dir, "clip.wav"), filepath.Join(dir, "clip.mp3")
	writeFile(t, wav, string(wavOf(clip)))
	runProgram(t, "lame", "--quiet", "-b", "64", wav, mp3)
	return mp3
}

// loudspeaker plays what is written to it as raw mono samples of the test
// clip's rate, at that rate, and remembers what it played.
type loudspeaker struct {
	path string

	mu   sync.Mutex
	done []recording
}

// speakerBuffer is the smallest that a pipe can have: 85 ms of sound.
const speakerBuffer = 4096

func newLoudspeaker(t *testing.T) *loudspeaker {
	t.Helper()
	s := &loudspeaker{path: filepath.Join(t.TempDir(), "speaker")}
	if err := unix.Mkfifo(s.path, 0o600); err != nil {
		t.Fatal(err)
	}
	// Open all the time, so that the pipe stays as small as it is made here.
	fd, err := unix.Open(s.path, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_SETPIPE_SZ, speakerBuffer); err != nil {
		t.Fatal(err)
	}
	stop, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		s.listen(fd, stop)
	}()
	t.Cleanup(func() {
		close(stop)
		<-ended
		_ = unix.Close(fd)
	})
	return s
}

// listen plays one writer after the other.
func (s *loudspeaker) listen(fd int, stop <-chan struct{}) {
	const bytesPerSecond = 2 * 24000
	var began time.Time
	bytes := 0
	for buf := make([]byte, 960); ; { // 20 ms
		wait := 5 * time.Millisecond
		n, err := unix.Read(fd, buf)
		switch {
		case n > 0:
			if bytes == 0 {
				began = time.Now()
			}
			bytes += n
			wait = time.Until(began.Add(time.Duration(bytes) * time.Second / bytesPerSecond))
		case err == nil && bytes > 0: // nobody writes any more
			s.mu.Lock()
			s.done = append(s.done, recording{at: began, length: time.Duration(bytes) * time.Second / bytesPerSecond})
			s.mu.Unlock()
			bytes = 0
		}
		select {
		case <-time.After(wait):
		case <-stop:
			return
		}
	}
}

// all returns what was played; nil of a nil loudspeaker.
func (s *loudspeaker) all() []recording {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]recording(nil), s.done...)
}
