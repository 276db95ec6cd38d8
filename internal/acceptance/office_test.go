package acceptance

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"mime/multipart"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"gatecast/controller/fleet"
	"gatecast/controller/store"
)

// office is a controller as a process, and a clerk with a browser.
type office struct {
	t          *testing.T
	dir        string
	config     string
	web        string
	devices    *cable // in front of the device port
	mqtt       *cable // in front of the broker
	zone       string // where it is day now
	log        *logbook
	process    *process
	clerk      *http.Client
	signer     *http.Client // of a second person, who signs off clips
	signerOnce string       // their password for the first login
}

// dayZone returns a zone in which it is between eight and eleven or between
// two and seven now, so that no quiet rule holds, for the next hour at least.
func dayZone(now time.Time) string {
	for _, offset := range []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, -1, -2, -3, -4, -5, -6, -7, -8, -9, -10, -11} {
		// The sign of Etc/GMT names is that of POSIX: GMT-8 is east.
		name := fmt.Sprintf("Etc/GMT%+d", -offset)
		if offset == 0 {
			name = "Etc/GMT"
		}
		zone, err := time.LoadLocation(name)
		if err != nil {
			continue
		}
		if h := now.In(zone).Hour(); h == 9 || h == 15 {
			return name
		}
	}
	return "Etc/GMT"
}

// freePort returns an address that nobody listens on, below the ports that the
// kernel gives to outgoing connections: nothing takes it while a program that
// was killed is away.
func freePort(t *testing.T) string {
	t.Helper()
	for range 100 {
		l, err := net.Listen("tcp", fmt.Sprint("127.0.0.1:", 10_000+rand.IntN(20_000)))
		if err == nil {
			defer l.Close()
			return l.Addr().String()
		}
	}
	t.Fatal("no free port")
	return ""
}

const registry = `
units:
  - {code: SL, type: subdistrict, name: 示例街道}
  - {code: SL-01, type: community, name: 松风社区, parent: SL}
compounds:
  - {unit: SL-01, name: 松风苑}
points:
  - {code: SL-01-01, name: 松风苑南门, kind: gate, unit: SL-01, compound: 松风苑, tags: [考点周边]}
  - {code: SL-01-02, name: 松风苑北门, kind: gate, unit: SL-01, compound: 松风苑, duty: 王建国, phone: "13812345678"}
liaisons:
  - {unit: SL-01, name: 李秀英, post: 联络员, phone: "13912345678"}
`

// newOffice sets an office up as the README says, starts it and logs in.
func newOffice(t *testing.T) *office {
	t.Helper()
	return newOfficeIn(t, t.TempDir())
}

// newOfficeIn is newOffice in the folder dir, with its data in dir/data.
func newOfficeIn(t *testing.T, dir string) *office {
	t.Helper()
	o := layOut(t, dir, "")
	file := filepath.Join(o.dir, "registry.yaml")
	writeFile(t, file, registry)
	run(t, "gatecast-controller", "--config", o.config, "registry", "import", file)
	once := o.oncePassword()
	o.start()
	o.logIn(once)
	return o
}

// personPassword is the password of everybody with a one-time password.
const personPassword = "Songfeng-2026-gate"

// browser logs a person in with their one-time password, sets one of their own
// and returns their browser.
func (o *office) browser(login, once string) *http.Client {
	o.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		o.t.Fatal(err)
	}
	c := &http.Client{Jar: jar, Timeout: 30 * time.Second}
	for _, post := range []struct {
		path string
		form url.Values
	}{
		{"/login", url.Values{"login": {login}, "password": {once}}},
		{"/password", url.Values{"old": {once}, "new": {personPassword}, "again": {personPassword}}},
	} {
		res, err := c.PostForm(o.web+post.path, post.form)
		o.page("POST "+post.path+" of "+login, res, err)
	}
	return c
}

// oncePassword gives the stopped office's clerk a password for one login, and
// the approver one that addClip uses.
func (o *office) oncePassword() string {
	o.t.Helper()
	once := o.oncePasswordOf("admin")
	o.signerOnce = o.oncePasswordOf("approver", "--role", string(fleet.Approver))
	return once
}

// oncePasswordOf gives an account a password for one login.
func (o *office) oncePasswordOf(login string, more ...string) string {
	o.t.Helper()
	said := run(o.t, "gatecast-controller", append([]string{"--config", o.config, "password", login}, more...)...)
	return strings.TrimSpace(said[strings.LastIndex(said, ": ")+2:])
}

// layOut chooses ports and writes the configuration of an office whose program
// has not run yet. broker is the address of a broker of its own, empty for the
// embedded one.
func layOut(t *testing.T, dir, broker string) *office {
	t.Helper()
	o := &office{t: t, dir: dir, zone: dayZone(time.Now()), log: &logbook{}}
	o.config = filepath.Join(o.dir, "controller.yaml")
	web, devices, mqtt := freePort(t), freePort(t), freePort(t)
	o.web = "http://" + web
	o.devices, o.mqtt = newCable(t, devices), newCable(t, cmp.Or(broker, mqtt))
	writeFile(t, o.config, fmt.Sprintf(`
data_dir: %s
hosts: ["127.0.0.1", "10.0.2.2"]
web: {listen: %q, plain_http: true}
devices: {https_listen: %q, mqtt_listen: %q, mqtt_broker: %q}
sound: {zone: %s, max_plays_per_hour: 720, replace_lead: 1s}
log: {level: debug}
`, quote(filepath.Join(o.dir, "data")), web, devices, mqtt, broker, o.zone))
	showLogs(t, map[string]*logbook{"controller": o.log})
	return o
}

// start starts the controller and waits until it serves.
func (o *office) start() {
	o.t.Helper()
	o.process = start(o.t, o.log, "gatecast-controller", "--config", o.config)
	eventually(o.t, 30*time.Second, func() string {
		res, err := http.Get(o.web + "/login")
		if err != nil {
			return err.Error()
		}
		res.Body.Close()
		return ""
	})
}

// logIn logs the clerk in and sets a password of their own.
func (o *office) logIn(once string) {
	o.t.Helper()
	o.clerk = o.browser("admin", once)
}

// logInAgain logs the clerk in after their session ended.
func (o *office) logInAgain() {
	o.t.Helper()
	o.clerk.CloseIdleConnections() // the office has closed them long ago
	o.post("/login", url.Values{"login": {"admin"}, "password": {personPassword}})
}

// get returns a page; any status but 200 fails the test.
func (o *office) get(path string) string {
	o.t.Helper()
	res, err := o.clerk.Get(o.web + path)
	return o.page("GET "+path, res, err)
}

func (o *office) post(path string, form url.Values) string {
	o.t.Helper()
	res, err := o.clerk.PostForm(o.web+path, form)
	return o.page("POST "+path, res, err)
}

func (o *office) page(what string, res *http.Response, err error) string {
	o.t.Helper()
	if err != nil {
		o.t.Fatalf("%s: %v", what, err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		o.t.Fatalf("%s: %s, %v\n%s", what, res.Status, err, text(string(body)))
	}
	return string(body)
}

var tags = regexp.MustCompile(`(?s)<(script|style|svg).*?</(script|style|svg)>|<[^>]*>`)

// text returns what a page says, without its markup.
func text(page string) string {
	return strings.Join(strings.Fields(tags.ReplaceAllString(page, " ")), " ")
}

// upload sends one file in a form, as the browser does, and returns the page
// that answers, whatever its status.
func (o *office) upload(path, file string, data []byte, fields map[string]string) (int, string) {
	o.t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for k, v := range fields {
		if err := w.WriteField(k, v); err != nil {
			o.t.Fatal(err)
		}
	}
	if file != "" {
		part, err := w.CreateFormFile("file", file)
		if err != nil {
			o.t.Fatal(err)
		}
		if _, err := part.Write(data); err != nil {
			o.t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		o.t.Fatal(err)
	}
	res, err := o.clerk.Post(o.web+path, w.FormDataContentType(), &b)
	if err != nil {
		o.t.Fatalf("POST %s: %v", path, err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		o.t.Fatal(err)
	}
	return res.StatusCode, string(body)
}

// addClip puts a WAV file into the clip library under name: the clerk uploads
// and submits it, the approver signs it off.
func (o *office) addClip(name string, wav []byte) {
	o.t.Helper()
	if o.signer == nil {
		o.signer = o.browser("approver", o.signerOnce)
	}
	if said := o.decide(o.signer, o.submitClip(name, wav), "approve", nil); !strings.Contains(said, "已签发") {
		o.t.Fatalf("clip %q is not signed off\n%s", name, said)
	}
}

// submitClip uploads and submits a WAV file and returns its page's path.
func (o *office) submitClip(name string, wav []byte) string {
	o.t.Helper()
	status, page := o.upload("/clips", name+".wav", wav, map[string]string{"name": name, "title": name})
	path := regexp.MustCompile(`href="(/clips/\d+)"`).FindStringSubmatch(page)
	if status != http.StatusOK || path == nil || !strings.Contains(page, "已送审") {
		o.t.Fatalf("uploading clip: %d\n%s", status, text(page))
	}
	return path[1]
}

// decide presses a button on a clip's page and returns what the page after it
// says, whatever its status.
func (o *office) decide(who *http.Client, clip, step string, form url.Values) string {
	o.t.Helper()
	res, err := who.Get(o.web + clip)
	page := o.page("GET "+clip, res, err)
	if form == nil {
		form = url.Values{}
	}
	if m := regexp.MustCompile(`name="revision" value="(\d+)"`).FindStringSubmatch(page); m != nil {
		form.Set("revision", m[1])
	}
	if res, err = who.PostForm(o.web+clip+"/"+step, form); err != nil {
		o.t.Fatalf("POST %s/%s: %v", clip, step, err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		o.t.Fatal(err)
	}
	return text(string(body))
}

// joinLine asks the enrolment page for a line for a point, and leads it over
// the cable.
func (o *office) joinLine(pointCode string) string {
	o.t.Helper()
	page := o.get("/enrol")
	m := regexp.MustCompile(`<option value="(\d+)">` + regexp.QuoteMeta(cmp.Or(pointNames[pointCode], pointCode))).FindStringSubmatch(page)
	if m == nil {
		o.t.Fatalf("the enrolment page does not offer %s\n%s", pointCode, text(page))
	}
	answer := o.post("/enrol", url.Values{"point": {m[1]}})
	line := regexp.MustCompile(`https://\S+ [0-9A-Z-]+ [0-9a-f]{64}`).FindString(answer)
	if line == "" {
		o.t.Fatalf("no join line on the page\n%s", text(answer))
	}
	fields := strings.Fields(line)
	fields[0] = "https://" + o.devices.addr
	return strings.Join(fields, " ")
}

// pointPath returns the page of a point.
func (o *office) pointPath(pointCode string) string {
	o.t.Helper()
	m := regexp.MustCompile(`<option value="(\d+)">` + regexp.QuoteMeta(cmp.Or(pointNames[pointCode], pointCode))).FindStringSubmatch(o.get("/enrol"))
	if m == nil {
		o.t.Fatalf("there is no point %s", pointCode)
	}
	return "/points/" + m[1]
}

// accept sounds the test tone of the device that waits at a point and says that
// it was heard; then it waits until the device has its first plan to play.
func (o *office) accept(pointCode string) {
	o.t.Helper()
	path, device := o.pointPath(pointCode), ""
	eventually(o.t, time.Minute, func() string {
		page := o.get(path)
		tone := regexp.MustCompile(`(?s)/tone"><input type="hidden" name="device" value="([^"]+)">.*?<button[^>]*?( disabled)?>`).FindStringSubmatch(page)
		if tone == nil || tone[2] != "" {
			return "no device waits for its test tone: " + text(page)
		}
		device = tone[1]
		return ""
	})
	if page := o.post(path+"/tone", url.Values{"device": {device}}); !strings.Contains(page, path+"/heard") {
		o.t.Fatalf("nobody asks who heard the test tone\n%s", text(page))
	}
	o.post(path+"/heard", url.Values{"device": {device}, "heard": {"yes"}})
	eventually(o.t, time.Minute, func() string {
		if page := text(o.get(path)); !strings.Contains(page, "计划 第 2 版 第 2 版") {
			return "the accepted device has no plan: " + page
		}
		return ""
	})
}

// pointNames are the names of points that are not called by their code.
var pointNames = map[string]string{"SL-01-01": "松风苑南门", "SL-01-02": "松风苑北门", "YX-01": "云溪苑南门"}

// activate uploads a programme and puts it in force.
func (o *office) activate(yaml string) {
	o.t.Helper()
	status, page := o.upload("/programmes", "", nil, map[string]string{"yaml": yaml})
	if status != http.StatusOK {
		o.t.Fatalf("uploading programme: %d\n%s", status, text(page))
	}
	m := regexp.MustCompile(`href="(/programmes/\d+/activate)"`).FindStringSubmatch(page)
	if m == nil {
		o.t.Fatalf("the programme cannot be activated\n%s", text(page))
	}
	if confirm := o.get(m[1]); !strings.Contains(confirm, `action="`+m[1]+`"`) {
		o.t.Fatalf("nothing to confirm\n%s", text(confirm))
	}
	o.post(m[1], nil)
}

// played returns the overview's count of played slots.
func (o *office) played() string {
	o.t.Helper()
	return regexp.MustCompile(`已播 \d+`).FindString(text(o.get("/")))
}

// books stops the controller, if it runs, and opens its store.
func (o *office) books() *store.Store {
	o.t.Helper()
	select {
	case <-o.process.done:
	default:
		o.process.stop(o.t, 10*time.Second)
	}
	s, err := store.Open(context.Background(), filepath.Join(o.dir, "data", "gatecast.db"), store.Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		o.t.Fatal(err)
	}
	o.t.Cleanup(func() { s.Close() })
	return s
}

// today returns the day's obligations of a point from the books.
func today(t *testing.T, s *store.Store, code string) []fleet.Obligation {
	t.Helper()
	pt, err := s.PointByCode(t.Context(), code)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := s.Obligations(t.Context(), fleet.ObligationFilter{Point: pt.ID})
	if err != nil {
		t.Fatal(err)
	}
	return rows
}
