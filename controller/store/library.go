package store

import (
	"context"
	"fmt"
	"strings"

	"gatecast/controller/fleet"
)

// versionTx gives c its place among the versions of c.First, which becomes the
// id of the first one, and a name where it has none.
func versionTx(t *tx, c *fleet.Clip) error {
	c.Version = 1
	if c.First == 0 {
		return nil
	}
	first, err := scanClip(t.row(`SELECT `+clipColumns+` FROM clips WHERE id = (SELECT CASE family WHEN 0 THEN id ELSE family END FROM clips WHERE id = ?)`, c.First))
	if err != nil {
		return notFound(err, noClip())
	}
	c.First = first.ID
	if err := t.row(`SELECT max(version) + 1 FROM clips WHERE id = ? OR family = ?`, c.First, c.First).Scan(&c.Version); err != nil {
		return err
	}
	if c.Name == "" {
		c.Name = fmt.Sprintf("%s-v%d", first.Name, c.Version)
	}
	return nil
}

// ClipVersions returns every version of the clip id, the newest first; only the
// clip itself where there is no other.
func (s *Store) ClipVersions(ctx context.Context, id fleet.ClipID) ([]fleet.Clip, error) {
	return list(ctx, s, "versions of a clip", scanClip, `
WITH f AS (SELECT CASE family WHEN 0 THEN id ELSE family END AS first FROM clips WHERE id = ?)
SELECT `+clipColumns+` FROM clips WHERE id = (SELECT first FROM f)
UNION ALL SELECT `+clipColumns+` FROM clips WHERE family != 0 AND family = (SELECT first FROM f) ORDER BY version DESC`, id)
}

// ClipPage returns the clips of q and how many there are without its limit.
func (s *Store) ClipPage(ctx context.Context, q fleet.ClipQuery) (clips []fleet.Clip, all int, err error) {
	w := &where{}
	if q.Text != "" {
		like := "%" + likeEscape.Replace(strings.ToLower(q.Text)) + "%"
		w.add(`(lower(title) LIKE ? ESCAPE '\' OR lower(name) LIKE ? ESCAPE '\' OR lower(text) LIKE ? ESCAPE '\' OR sha256 LIKE ? ESCAPE '\')`, like, like, like, like)
	}
	if q.Type != "" {
		w.add("scam_type = ?", q.Type)
	}
	if q.Audience != "" {
		w.add(`'、' || audience || '、' LIKE ? ESCAPE '\'`, "%、"+likeEscape.Replace(q.Audience)+"、%")
	}
	if err := w.addState(q); err != nil {
		return nil, 0, err
	}
	if err := s.read.QueryRowContext(ctx, `SELECT count(*) FROM clips`+w.String(), w.args...).Scan(&all); err != nil {
		return nil, 0, fmt.Errorf("counting clips: %w", explain(err))
	}
	// A reader sorts by title as by any other word: by its characters.
	order, back := map[fleet.ClipSort]string{
		fleet.ClipsByUpload: "uploaded_us", fleet.ClipsByTitle: "title", fleet.ClipsByLength: "frames * 1.0 / rate", fleet.ClipsByType: "scam_type",
	}[q.Sort], q.Reverse
	if order == "" || q.Sort == fleet.ClipsByUpload {
		order, back = "uploaded_us", !q.Reverse
	}
	if back {
		order += " DESC, id DESC"
	} else {
		order += ", id"
	}
	limit := q.Limit
	if limit == 0 {
		limit = -1
	}
	clips, err = list(ctx, s, "clips", scanClip, `SELECT `+clipColumns+` FROM clips`+w.String()+` ORDER BY `+order+` LIMIT ? OFFSET ?`, append(w.args, limit, q.Offset)...)
	return clips, all, err
}

// addState selects as fleet.Clip.Standing says.
func (w *where) addState(q fleet.ClipQuery) error {
	today, err := boundNumber(q.Today)
	if err != nil {
		return err
	}
	switch q.State {
	case "":
	case fleet.ClipSubmitted:
		w.add("(state = ? OR changes != '')", q.State)
	case fleet.ClipExpired:
		w.add("state = ? AND valid_until != 0 AND valid_until < ?", fleet.ClipApproved, today)
	case fleet.ClipAhead:
		w.add("state = ? AND valid_from > ? AND (valid_until = 0 OR valid_until >= ?)", fleet.ClipApproved, today, today)
	case fleet.ClipApproved:
		w.add("state = ? AND valid_from <= ? AND (valid_until = 0 OR valid_until >= ?)", fleet.ClipApproved, today, today)
	default:
		w.add("state = ?", q.State)
	}
	return nil
}

// likeEscape keeps what somebody types from being a pattern.
var likeEscape = strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`)

// ClipTypes returns the scam types that clips have, in the order of characters.
func (s *Store) ClipTypes(ctx context.Context) ([]string, error) {
	return list(ctx, s, "types of clips", func(r scanner) (v string, err error) { return v, r.Scan(&v) },
		`SELECT DISTINCT scam_type FROM clips WHERE scam_type != '' ORDER BY scam_type`)
}

// TagClip says other things about a clip, beside what is signed with it.
func (s *Store) TagClip(ctx context.Context, id fleet.ClipID, tags fleet.ClipTags) error {
	_, err := change(ctx, s, func(t *tx) (none, error) {
		r, err := t.exec(`UPDATE clips SET scam_type = ?, audience = ?, spoken = ? WHERE id = ?`, tags.ScamType, strings.Join(tags.Audience, "、"), tags.Spoken, id)
		return none{}, affected(r, err, noClip())
	})
	return err
}
