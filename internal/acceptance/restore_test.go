package acceptance

import (
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatecast/controller/fleet"
)

// TestRestoreOnRealPrograms backs up a running office, lets the gate play on,
// loses the database, restores the backup and starts the office again: the
// gate delivers what the backup lacks, the ledger is the one that was lost, and
// once a person has confirmed, the next programme reaches the gate.
func TestRestoreOnRealPrograms(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.addClip("ding", wavOf(testClip(2*time.Second)))
	g := newGate(t, o, "SL-01-01")
	first := soon(9 * time.Second)
	o.activate(slotsFrom(o, first, 9*time.Second, 2))
	eventually(t, 40*time.Second, func() string {
		if p := o.played(); p != "已播 1" {
			return "the first slot is not settled: " + p
		}
		return ""
	})
	file := filepath.Join(o.dir, "office.backup")
	if said := run(t, "gatecast-controller", "--config", o.config, "backup", file); !strings.Contains(said, "已备份") {
		t.Errorf("backup said %q", said)
	}
	paper := filepath.Join(o.dir, "paper.txt")
	if err := os.WriteFile(paper, []byte(run(t, "gatecast-controller", "--config", o.config, "backup", "passphrase")), 0o600); err != nil {
		t.Fatal(err)
	}
	// What the backup does not have: another programme, with one more slot.
	more := strings.Replace(slotsFrom(o, first.Add(22*time.Second), 9*time.Second, 1), "id: gates", "id: more", 1)
	o.activate(more)
	eventually(t, 60*time.Second, func() string {
		if p := o.played(); p != "已播 3" {
			return "not all slots are settled: " + p
		}
		return ""
	})
	before := o.books() // stops the office
	lost := today(t, before, "SL-01-01")
	if err := before.Close(); err != nil {
		t.Fatal(err)
	}
	// The new machine has the backup and what stands on paper, nothing else.
	if err := os.RemoveAll(filepath.Join(o.dir, "data")); err != nil {
		t.Fatal(err)
	}
	if said := run(t, "gatecast-controller", "--config", o.config, "restore", "--check", "--passphrase-file", paper, file); !strings.Contains(said, "备份完好") {
		t.Errorf("the check of the backup said %q", said)
	}
	said := run(t, "gatecast-controller", "--config", o.config, "restore", "--passphrase-file", paper, file)
	if !strings.Contains(said, "已恢复自") || !strings.Contains(said, "1 台设备") {
		t.Errorf("restore said %q", said)
	}
	o.start()
	o.logInAgain() // a restore ends every login
	eventually(t, 60*time.Second, func() string {
		if page := text(o.get("/restored")); !strings.Contains(page, "等待确认 1 台") {
			return "the gate does not wait for a confirmation: " + page
		}
		if p := o.played(); p != "已播 2" { // the third is of the programme that the backup does not have
			return "the ledger is not rebuilt: " + p
		}
		return ""
	})
	if page := text(o.get("/")); !strings.Contains(page, "1 台设备等待确认计划") || !strings.Contains(page, "恢复自 office.backup") {
		t.Errorf("the overview says neither that somebody has to confirm nor who restored: %s", page)
	}
	next := soon(20 * time.Second)
	o.activate(strings.Replace(slotsFrom(o, next, 9*time.Second, 1), "id: gates", "id: more", 1))
	o.post("/restored/confirm", url.Values{"checked": {"yes"}})
	eventually(t, 60*time.Second, func() string {
		if p := o.played(); p != "已播 3" {
			return "the gate does not play by the new plan: " + p
		}
		return ""
	})
	g.process.stop(t, 5*time.Second)
	books := o.books()
	compare := func(rows []fleet.Obligation) map[string]fleet.Obligation {
		all := map[string]fleet.Obligation{}
		for _, r := range rows {
			if r.Programme == "gates" {
				r.Settled, r.Revisions = time.Time{}, 0
				all[string(r.Slot)] = r
			}
		}
		return all
	}
	if diff := cmp.Diff(compare(lost), compare(today(t, books, "SL-01-01"))); diff != "" || len(compare(lost)) != 2 {
		t.Errorf("the ledger (-lost +restored):\n%s", diff)
	}
	if err := books.Check(t.Context()); err != nil {
		t.Error(err)
	}
	if m := regexp.MustCompile(`level=ERROR.*`).FindString(o.log.String()); m != "" {
		t.Errorf("the controller logged %s", m)
	}
}
