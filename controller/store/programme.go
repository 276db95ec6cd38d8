package store

import (
	"context"
	"fmt"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

const programmeColumns = `id, code, version, name, yaml, state, uploaded_us, by, activated_us`

func scanProgramme(r scanner) (p fleet.Programme, err error) {
	var uploaded, activated int64
	err = r.Scan(&p.ID, &p.Code, &p.Version, &p.Name, &p.YAML, &p.State, &uploaded, &p.By, &activated)
	p.Uploaded, p.Activated = wire.FromUS(uploaded), wire.FromUS(activated)
	return p, err
}

// Programmes returns every version of every programme, by code, newest
// version first.
func (s *Store) Programmes(ctx context.Context) ([]fleet.Programme, error) {
	return list(ctx, s, "programmes", scanProgramme, `SELECT `+programmeColumns+` FROM programmes ORDER BY code, version DESC`)
}

// ActiveProgrammes returns the active version of each programme, by code.
func (s *Store) ActiveProgrammes(ctx context.Context) ([]fleet.Programme, error) {
	return list(ctx, s, "programmes", scanProgramme, `SELECT `+programmeColumns+` FROM programmes WHERE state = ? ORDER BY code`, fleet.Active)
}

var noProgramme = &fleet.Error{
	Code:   fleet.NotFound,
	Text:   "这份播放计划不存在，可能已被删除。",
	TextEN: "This programme does not exist; it may have been deleted.",
}

// Programme returns the version with that id, or a *fleet.Error of code
// NotFound.
func (s *Store) Programme(ctx context.Context, id fleet.ProgrammeID) (fleet.Programme, error) {
	p, err := scanProgramme(s.read.QueryRowContext(ctx, `SELECT `+programmeColumns+` FROM programmes WHERE id = ?`, id))
	return p, notFound(err, noProgramme)
}

// AddProgramme keeps p as a draft, the next version of its code, and returns
// the row's id. The id, version and state in p are ignored.
func (s *Store) AddProgramme(ctx context.Context, p fleet.Programme) (fleet.ProgrammeID, error) {
	return change(ctx, s, func(t *tx) (id fleet.ProgrammeID, err error) {
		if p.Code == "" {
			return 0, &fleet.Error{
				Code:   fleet.Invalid,
				Text:   "播放计划缺少 id，请在文件开头写上。",
				TextEN: "The programme has no id. Write one at the top of the file.",
			}
		}
		err = t.row(`
INSERT INTO programmes (code, version, name, yaml, state, uploaded_us, by)
VALUES (?1, (SELECT coalesce(max(version), 0) + 1 FROM programmes WHERE code = ?1), ?2, ?3, ?4, ?5, ?6) RETURNING id`,
			p.Code, p.Name, p.YAML, fleet.Draft, wire.US(p.Uploaded), p.By).Scan(&id)
		return id, err
	})
}

// ActivateProgramme makes one version the active one of its code, and the one
// that was active superseded. The active one again changes nothing; a version
// that was superseded may come back.
func (s *Store) ActivateProgramme(ctx context.Context, id fleet.ProgrammeID, now time.Time) error {
	_, err := change(ctx, s, func(t *tx) (none, error) {
		var code string
		var state fleet.ProgrammeState
		if err := t.row(`SELECT code, state FROM programmes WHERE id = ?`, id).Scan(&code, &state); err != nil {
			return none{}, notFound(err, noProgramme)
		}
		if state == fleet.Active {
			return none{}, nil
		}
		if _, err := t.exec(`UPDATE programmes SET state = ? WHERE code = ? AND state = ?`, fleet.Superseded, code, fleet.Active); err != nil {
			return none{}, err
		}
		_, err := t.exec(`UPDATE programmes SET state = ?, activated_us = ? WHERE id = ?`, fleet.Active, wire.US(now), id)
		return none{}, err
	})
	if err != nil {
		return fmt.Errorf("activating programme %d: %w", id, err)
	}
	return nil
}

// DeactivateProgramme ends the active version of a code, so that nothing of
// it is planned any more. A code with no active version is left as it is.
func (s *Store) DeactivateProgramme(ctx context.Context, code string) error {
	_, err := change(ctx, s, func(t *tx) (none, error) {
		_, err := t.exec(`UPDATE programmes SET state = ? WHERE code = ? AND state = ?`, fleet.Superseded, code, fleet.Active)
		return none{}, err
	})
	if err != nil {
		return fmt.Errorf("deactivating programme %q: %w", code, err)
	}
	return nil
}
