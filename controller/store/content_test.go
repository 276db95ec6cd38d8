package store

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

func testClip(sha, name string) fleet.Clip {
	return fleet.Clip{
		SHA256: sha, Original: "o-" + sha, Name: name, Title: "刷单返利", ScamType: "刷单返利", Audience: "20-50", Text: "各位居民请注意", Example: true,
		Bytes: 600_000, Rate: 24000, Frames: 648_000, LUFS: -18.2, TruePeak: -1.6, GainDB: 0.2, Peaks: []byte{0x80, 0x7f}, Uploaded: t0, By: "clerk",
	}
}

func TestClips(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		c := testClip("aa", "shuadan")
		id, err := s.AddClip(ctx, c)
		if err != nil {
			t.Fatal(err)
		}
		c.ID, c.State, c.Since, c.Hands, c.Revision = id, fleet.ClipDraft, t0, []string{"clerk"}, 1
		c.Source, c.Version = fleet.SourceUpload, 1
		for name, get := range map[string]func() (fleet.Clip, error){
			"Clip":       func() (fleet.Clip, error) { return s.Clip(ctx, id) },
			"ClipByName": func() (fleet.Clip, error) { return s.ClipByName(ctx, "shuadan") },
			"ClipBySHA":  func() (fleet.Clip, error) { return s.ClipBySHA(ctx, "aa") },
		} {
			got, err := get()
			if diff := cmp.Diff(c, got); err != nil || diff != "" {
				t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
			}
		}
		// The same audio again is the same clip, under whatever name.
		if again, err := s.AddClip(ctx, testClip("aa", "other")); err != nil || again != id {
			t.Errorf("AddClip of the same audio = %d, %v, want %d", again, err, id)
		}
		_, err = s.AddClip(ctx, testClip("bb", "shuadan"))
		var told *fleet.Error
		if fleet.CodeOf(err) != fleet.Conflict || !errors.As(err, &told) || told.Text != `素材名 "shuadan" 已被另一段音频使用，请换一个名字。` {
			t.Errorf("AddClip under a name that is taken = %v", err)
		}
	})
}

func TestProgrammesHaveOneActiveVersion(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		var ids []fleet.ProgrammeID
		for i, code := range []string{"gates", "gates", "horns", "gates"} {
			id, err := s.AddProgramme(ctx, fleet.Programme{Code: code, Name: "小区门口", YAML: []byte{'a', byte('0' + i)}, Uploaded: t0, By: "clerk", State: fleet.Active, Version: 77})
			if err != nil {
				t.Fatal(err)
			}
			ids = append(ids, id)
		}
		type row struct {
			Code    string
			Version int
			State   fleet.ProgrammeState
		}
		states := func() []row {
			t.Helper()
			all, err := s.Programmes(ctx)
			if err != nil {
				t.Fatal(err)
			}
			var rows []row
			for _, p := range all {
				rows = append(rows, row{p.Code, p.Version, p.State})
			}
			return rows
		}
		want := []row{{"gates", 3, fleet.Draft}, {"gates", 2, fleet.Draft}, {"gates", 1, fleet.Draft}, {"horns", 1, fleet.Draft}}
		if diff := cmp.Diff(want, states()); diff != "" {
			t.Errorf("uploaded (-want +got):\n%s", diff)
		}
		for i, id := range []fleet.ProgrammeID{ids[0], ids[2], ids[3], ids[3], ids[1]} {
			if err := s.ActivateProgramme(ctx, id, t0.Add(time.Duration(i)*time.Hour)); err != nil {
				t.Fatal(err)
			}
		}
		want = []row{{"gates", 3, fleet.Superseded}, {"gates", 2, fleet.Active}, {"gates", 1, fleet.Superseded}, {"horns", 1, fleet.Active}}
		if diff := cmp.Diff(want, states()); diff != "" {
			t.Errorf("activated (-want +got):\n%s", diff)
		}
		if p, err := s.Programme(ctx, ids[3]); err != nil || !p.Activated.Equal(t0.Add(2*time.Hour)) || string(p.YAML) != "a3" {
			t.Errorf("Programme = %+v, %v: activating twice moved its time", p, err)
		}
		if err := s.DeactivateProgramme(ctx, "gates"); err != nil {
			t.Fatal(err)
		}
		active, err := s.ActiveProgrammes(ctx)
		if err != nil || len(active) != 1 || active[0].Code != "horns" {
			t.Errorf("ActiveProgrammes = %+v, %v", active, err)
		}
		if _, err := s.AddProgramme(ctx, fleet.Programme{Name: "无编号"}); fleet.CodeOf(err) != fleet.Invalid {
			t.Errorf("AddProgramme without code = %v", err)
		}
	})
}

func TestPlansKeepTheWantedAndTheHad(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		enrolTest(t, s, importTest(t, s, 1)[0].ID, "d1", t0)
		plan := func(version uint64, sha string) fleet.Doc {
			return fleet.Doc{SHA256: sha, Type: wire.DocPlan, Device: "d1", Version: version, Bytes: []byte("signed " + sha)}
		}
		manifest := fleet.Doc{SHA256: "m1", Type: wire.DocManifest, Version: 1, Bytes: []byte("manifest")}
		if err := s.PutDocs(ctx, []fleet.Doc{manifest, plan(1, "p1"), manifest}); err != nil {
			t.Fatal(err)
		}
		if err := s.PutPlans(ctx, []fleet.Doc{plan(2, "p2")}); err != nil {
			t.Fatal(err)
		}
		st := stateOf(1)
		st.PlanVersion, st.PlanSHA256 = 2, "p2"
		if _, err := s.SaveState(ctx, "d1", st, t0); err != nil {
			t.Fatal(err)
		}
		for v, sha := range map[uint64]string{3: "p3", 4: "p4"} {
			if err := s.PutDocs(ctx, []fleet.Doc{plan(v, sha)}); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.SetWanted(ctx, "d1", 4, "p4"); err != nil {
			t.Fatal(err)
		}
		if err := s.PrunePlans(ctx); err != nil {
			t.Fatal(err)
		}
		for sha, want := range map[string]string{"p1": "", "p2": "signed p2", "p3": "", "p4": "signed p4", "m1": "manifest"} {
			got, err := s.Doc(ctx, sha)
			if string(got) != want || (want == "") != (fleet.CodeOf(err) == fleet.NotFound) {
				t.Errorf("Doc(%s) = %q, %v, want %q", sha, got, err, want)
			}
		}
		if d, err := s.LatestDoc(ctx, "d1", wire.DocPlan); err != nil || d.Version != 4 || d.SHA256 != "p4" || string(d.Bytes) != "signed p4" {
			t.Errorf("LatestDoc = %+v, %v", d, err)
		}
		if d, err := s.LatestDoc(ctx, "", wire.DocManifest); err != nil || d.SHA256 != "m1" {
			t.Errorf("LatestDoc of the manifest = %+v, %v", d, err)
		}
		if d, err := s.Device(ctx, "d1"); err != nil || d.WantVersion != 4 || d.WantHash != "p4" {
			t.Errorf("Device = %+v, %v", d, err)
		}
		err := s.PutPlans(ctx, []fleet.Doc{plan(5, "p5"), {SHA256: "q1", Type: wire.DocPlan, Device: "nobody", Version: 1}})
		if fleet.CodeOf(err) != fleet.NotFound {
			t.Errorf("PutPlans for an unknown device = %v", err)
		}
		if d, err := s.Device(ctx, "d1"); err != nil || d.WantVersion != 4 {
			t.Errorf("a refused PutPlans changed what d1 should have: %+v, %v", d, err)
		}
	})
}

func TestUsersAndSessions(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		u := fleet.User{Login: "admin", Name: "张工", Role: fleet.Admin, Password: "$argon2id$x", MustSet: true, Created: t0}
		id, err := s.SaveUser(ctx, u)
		if err != nil {
			t.Fatal(err)
		}
		u.ID = id
		if got, err := s.UserByLogin(ctx, "admin"); err != nil || !cmp.Equal(u, got) {
			t.Errorf("UserByLogin: %v\n%s", err, cmp.Diff(u, got))
		}
		u.MustSet, u.PasswordSet, u.Expires, u.LastLogin, u.Disabled = false, t0, t0.Add(time.Hour), t0.Add(time.Minute), true
		u.Company, u.TOTP = "安心物业", "sealed:1:xxxx"
		if again, err := s.SaveUser(ctx, u); err != nil || again != id {
			t.Errorf("SaveUser = %d, %v", again, err)
		}
		if got, err := s.User(ctx, id); err != nil || !cmp.Equal(u, got) {
			t.Errorf("User: %v\n%s", err, cmp.Diff(u, got))
		}
		if _, err := s.SaveUser(ctx, fleet.User{Login: "admin"}); fleet.CodeOf(err) != fleet.Conflict {
			t.Errorf("SaveUser with a login that is taken = %v", err)
		}
		if _, err := s.SaveUser(ctx, fleet.User{ID: 99, Login: "x"}); fleet.CodeOf(err) != fleet.NotFound {
			t.Errorf("SaveUser of an unknown id = %v", err)
		}
		for i, hash := range []string{"s1", "s2", "s3"} {
			v := fleet.Session{Hash: hash, User: id, Created: t0, Seen: t0, Expires: t0.Add(time.Duration(i+1) * time.Hour), From: "127.0.0.1", Agent: "test"}
			if err := s.AddSession(ctx, v); err != nil {
				t.Fatal(err)
			}
			if got, err := s.SessionByHash(ctx, hash); err != nil || !cmp.Equal(v, got) {
				t.Errorf("SessionByHash: %v\n%s", err, cmp.Diff(v, got))
			}
		}
		if err := s.TouchSession(ctx, "s1", t0.Add(time.Minute), t0.Add(9*time.Hour)); err != nil {
			t.Fatal(err)
		}
		if got, err := s.SessionByHash(ctx, "s1"); err != nil || !got.Seen.Equal(t0.Add(time.Minute)) || !got.Expires.Equal(t0.Add(9*time.Hour)) {
			t.Errorf("after a touch: %+v, %v", got, err)
		}
		have := func(want ...string) {
			t.Helper()
			var got []string
			for _, hash := range []string{"s1", "s2", "s3"} {
				if _, err := s.SessionByHash(ctx, hash); err == nil {
					got = append(got, hash)
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("sessions (-want +got):\n%s", diff)
			}
		}
		if err := s.DeleteExpiredSessions(ctx, t0.Add(2*time.Hour)); err != nil {
			t.Fatal(err)
		}
		have("s1", "s3")
		if err := s.DeleteSession(ctx, "s1"); err != nil {
			t.Fatal(err)
		}
		have("s3")
		if err := s.DeleteSessions(ctx, id); err != nil {
			t.Fatal(err)
		}
		have()
	})
}

func TestSettings(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		for _, want := range []string{"", "一", "二"} {
			if want != "" {
				if err := s.SetSetting(ctx, "k", want); err != nil {
					t.Fatal(err)
				}
			}
			if v, err := s.Setting(ctx, "k"); err != nil || v != want {
				t.Errorf("Setting = %q, %v, want %q", v, err, want)
			}
		}
	})
}
