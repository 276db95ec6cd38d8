package acceptance

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// newerDatabase has the office's program meet a database that a later version
// wrote.
func newerDatabase(t *testing.T, o *office, again func()) {
	library := o.library()
	o.process.stop(t, 10*time.Second)
	file := filepath.Join(o.dir, "data", "gatecast.db")
	old, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	const version = 60 // where SQLite keeps the user version
	newer := bytes.Clone(old)
	copy(newer[version:], []byte{0, 0, 3, 231})
	if err := os.WriteFile(file, newer, 0o600); err != nil {
		t.Fatal(err)
	}
	said := refused(t, exitBad, "gatecast-controller", "--config", o.config)
	says(t, said, file, "由更新版本的 Gatecast 写成（结构版本 999", "请升级本程序，或用旧备份恢复；数据库未作任何改动。",
		"was written by a newer Gatecast (schema 999", "Upgrade this program, or restore an older backup; the database was not changed.")
	if got, err := os.ReadFile(file); err != nil || !bytes.Equal(got, newer) {
		t.Errorf("the database was changed (%v)", err)
	}
	if err := os.WriteFile(file, old, 0o600); err != nil {
		t.Fatal(err)
	}
	again()
	if got := o.library(); len(got) != len(library) {
		t.Errorf("the library was %q and is %q", library, got)
	}
}

func TestConfigurationTypo(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, program, config, want string }{
		{"controller", "gatecast-controller", "data_dir: %s\nweb:\n  lisen: \"127.0.0.1:0\"\n", ":3: web.lisen: unknown key"},
		{"agent", "gatecast-agent", "data_dir: %s\noutput:\n  volum_pct: 5\n", ":3: output.volum_pct: unknown key"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			file, data := filepath.Join(dir, "daemon.yaml"), filepath.Join(dir, "data")
			writeFile(t, file, fmt.Sprintf(tt.config, quote(data)))
			for _, args := range [][]string{{"--config", file}, {"config", "check", "--config", file}} {
				says(t, refused(t, exitUsage, tt.program, args...), file+tt.want, "没有这个键，可用的有", "请改正", "Correct the settings")
			}
			if _, err := os.Stat(data); err == nil {
				t.Error("data were made in spite of the typo")
			}
		})
	}
}

func TestTakenPort(t *testing.T) {
	t.Parallel()
	other, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	taken := other.Addr().String()
	for _, key := range []string{"web.listen", "devices.https_listen", "devices.mqtt_listen"} {
		t.Run(strings.ReplaceAll(key, ".", "_"), func(t *testing.T) {
			dir := t.TempDir()
			addr := map[string]string{"web.listen": "127.0.0.1:0", "devices.https_listen": "127.0.0.1:0", "devices.mqtt_listen": "127.0.0.1:0"}
			addr[key] = taken
			file := filepath.Join(dir, "controller.yaml")
			writeFile(t, file, fmt.Sprintf("data_dir: %s\nhosts: [\"127.0.0.1\"]\nweb: {listen: %q, plain_http: true}\ndevices: {https_listen: %q, mqtt_listen: %q}\n",
				quote(filepath.Join(dir, "data")), addr["web.listen"], addr["devices.https_listen"], addr["devices.mqtt_listen"]))
			said := refused(t, exitBad, "gatecast-controller", "--config", file)
			says(t, said, key+": "+taken, "端口已被别的程序占用，请停掉那个程序，或换一个端口", "the port is taken by another program: stop that program or choose another port")
		})
	}
	if conn, err := net.Dial("tcp", taken); err != nil {
		t.Errorf("the other program lost its port: %v", err)
	} else {
		conn.Close()
	}
}

// A second demo in the folder of the first, even one that would start over,
// leaves it alone.
func TestSecondDemo(t *testing.T) {
	t.Parallel()
	demos.Lock()
	defer demos.Unlock()
	dir := filepath.Join(t.TempDir(), "demo")
	log := &logbook{}
	showLogs(t, map[string]*logbook{"demo": log})
	first := start(t, log, "gatecast", "demo", "--data", dir)
	var page string
	eventually(t, time.Minute, func() string {
		if page = regexp.MustCompile(`http://127\.0\.0\.1:\d+`).FindString(log.String()); page == "" {
			return "the demo does not say where its pages are"
		}
		return ""
	})
	before := files(t, dir)
	says(t, refused(t, exitBad, "gatecast", "demo", "--data", dir), dir+" 里已有一个演示在运行", "请先按 Ctrl-C 停止它，或用 --data 换一个文件夹")
	says(t, refused(t, exitBad, "gatecast", "demo", "--data", dir, "--fresh", "--lang", "en"), "a demo is running in "+dir, "stop that one with Ctrl-C, or choose another folder with --data")
	for name := range before {
		if _, err := os.Stat(name); err != nil {
			t.Errorf("lost by the second demo: %v", err)
		}
	}
	if res, err := http.Get(page + "/login"); err != nil || res.StatusCode != http.StatusOK {
		t.Errorf("the first demo's pages: %v, %v", res, err)
	} else {
		res.Body.Close()
	}
	first.stop(t, 12*time.Second)
}

// files returns the files below dir that stay: keys, databases and the like.
func files(t *testing.T, dir string) map[string]bool {
	t.Helper()
	found := map[string]bool{}
	for _, pattern := range []string{"*", "controller/*", "controller/trust/*", "*/identity/*"} {
		names, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			if !strings.HasSuffix(name, "-wal") && !strings.HasSuffix(name, "-shm") {
				found[name] = true
			}
		}
	}
	if len(found) < 8 {
		t.Fatalf("only %d files in %s", len(found), dir)
	}
	return found
}
