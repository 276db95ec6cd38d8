package web

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

// TestLateBackupIsTold looks at the overview on either side of 36 hours, and
// after a night that wrote something that does not open.
func TestLateBackupIsTold(t *testing.T) {
	w := newEmptyWorld(t)
	const late, failed = "超过 36 小时没有完好的备份", "昨夜的备份不可用"
	look := func(what string, want ...string) {
		t.Helper()
		page := w.as(t, "admin").page("/").text("main")
		for _, text := range []string{late, failed} {
			wanted := len(want) > 0 && want[0] == text
			if strings.Contains(page, text) != wanted {
				t.Errorf("%s: the overview shows %q: %v, want %v", what, text, !wanted, wanted)
			}
		}
	}
	look("no backups wanted")
	if err := w.store.SetSetting(t.Context(), fleet.SettingBackupSince, strconv.FormatInt(wire.US(testNow), 10)); err != nil {
		t.Fatal(err)
	}
	w.setNow(testNow.Add(fleet.BackupLate))
	look("36 h after the first look")
	w.setNow(testNow.Add(fleet.BackupLate + time.Second))
	look("a second later", late)
	good := fleet.BackupRun{Begun: w.now(), Ended: w.now(), File: "/b/gatecast-20261125-061241.gcb", Size: 4e6}
	if err := w.store.AddBackupRun(t.Context(), good); err != nil {
		t.Fatal(err)
	}
	look("a good backup")
	bad := good
	bad.Part, bad.Problem = fleet.BackupCheck, "the checksum does not hold"
	if err := w.store.AddBackupRun(t.Context(), bad); err != nil {
		t.Fatal(err)
	}
	look("a damaged one after it", failed)
	if page := w.as(t, "admin").page("/backups").text("#backups"); !strings.Contains(page, "写成的文件打不开") || !strings.Contains(page, "完好") || !strings.Contains(page, "4.0 MB") {
		t.Errorf("the page of backups says %q", page)
	}
}
