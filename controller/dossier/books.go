package dossier

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

// byteOrder makes spreadsheets read a CSV as UTF-8.
const byteOrder = "\ufeff"

// verdictWords are the words of the pages.
var verdictWords = map[fleet.Verdict]string{
	fleet.Played: "已播", fleet.Partial: "部分播", fleet.Missed: "未播", fleet.Doubt: "存疑",
	fleet.Exempt: "免播", fleet.Pending: "待报", fleet.Due: "未到",
}

// each calls see with every obligation of the period, day by day.
func (r *run) each(ctx context.Context, see func(fleet.Obligation) error) error {
	for d := r.from; d.Before(r.to); d = time.Date(d.Year(), d.Month(), d.Day()+1, 0, 0, 0, 0, d.Location()) {
		day := fleet.Day(d.Format(time.DateOnly))
		rows, err := r.e.o.Store.Obligations(ctx, fleet.ObligationFilter{From: day, To: day, Point: r.only})
		if err != nil {
			return err
		}
		for _, o := range rows {
			if err := see(o); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *run) at(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.In(r.e.o.Zone).Format(time.RFC3339)
}

// cell keeps a spreadsheet from taking a text for a formula: by its first
// character, also behind white space and in the wide form of a Chinese
// keyboard, both of which some programs look through.
func cell(s string) string {
	if strings.HasPrefix(s, "\t") || strings.HasPrefix(s, "\r") || strings.HasPrefix(s, "\n") {
		return "'" + s
	}
	if r, _ := utf8.DecodeRuneInString(strings.TrimLeftFunc(s, blank)); strings.ContainsRune("=+-@＝＋－＠", r) {
		return "'" + s
	}
	return s
}

func blank(r rune) bool {
	return unicode.IsSpace(r) || unicode.IsControl(r) || r == '\ufeff' || r == '\u200b'
}

func (r *run) table(name string, head []string, rows func(put func(row ...string) error) error) error {
	w, err := r.out.create(name)
	if err != nil {
		return err
	}
	if _, err := io.WriteString(w, byteOrder); err != nil {
		return err
	}
	c := csv.NewWriter(w)
	if err := c.Write(head); err != nil {
		return err
	}
	if err := rows(func(row ...string) error {
		for i := range row {
			row[i] = cell(row[i])
		}
		return c.Write(row)
	}); err != nil {
		return err
	}
	c.Flush()
	return c.Error()
}

// obligations writes what was owed and its verdict, for people.
func (r *run) obligations(ctx context.Context) error {
	head := []string{"日期 day", "点位编号 point", "点位 name", "时段编号 slot", "时段 slot name", "开始 start", "结束 end", "应播 plays", "已播 played", "出声秒 seconds",
		"结论 verdict", "verdict", "证据等级 grade", "原因 reason", "说明 note", "设备 device", "演示 demo", "定案 settled", "更正次数 revisions"}
	return r.table("ledger/obligations.csv", head, func(put func(...string) error) error {
		return r.each(ctx, func(o fleet.Obligation) error {
			p := r.points[o.Point]
			return put(string(o.Day), p.Code, p.Name, string(o.Slot), o.Name, r.at(o.Start), r.at(o.End),
				strconv.Itoa(o.Plays), strconv.Itoa(o.PlaysOK), strconv.FormatFloat(float64(o.SoundMS)/1000, 'f', 1, 64),
				verdictWords[o.Verdict], string(o.Verdict), string(o.Grade), string(o.Reason), o.Note, string(o.Device),
				strconv.FormatBool(o.Demo), r.at(o.Settled), strconv.Itoa(o.Revisions))
		})
	})
}

// verdicts writes the same for programs, one JSON object a line.
func (r *run) verdicts(ctx context.Context) error {
	w, err := r.out.create("ledger/obligations.jsonl")
	if err != nil {
		return err
	}
	enc := json.NewEncoder(w)
	return r.each(ctx, func(o fleet.Obligation) error {
		return enc.Encode(struct {
			Day     fleet.Day     `json:"day"`
			Point   string        `json:"point"`
			Slot    wire.SlotID   `json:"slot"`
			Start   int64         `json:"start_us"`
			End     int64         `json:"end_us"`
			Plays   int           `json:"plays"`
			PlaysOK int           `json:"plays_ok"`
			SoundMS int64         `json:"sound_ms"`
			Verdict fleet.Verdict `json:"verdict"`
			Grade   fleet.Grade   `json:"grade,omitempty"`
			Reason  wire.Reason   `json:"reason,omitempty"`
			Note    string        `json:"note,omitempty"`
			Device  wire.DeviceID `json:"device,omitempty"`
			Demo    bool          `json:"demo,omitempty"`
			Settled int64         `json:"settled_us,omitempty"`
		}{o.Day, r.points[o.Point].Code, o.Slot, wire.US(o.Start), wire.US(o.End), o.Plays, o.PlaysOK, o.SoundMS,
			o.Verdict, o.Grade, o.Reason, o.Note, o.Device, o.Demo, wire.US(o.Settled)})
	})
}

// corrections writes every settled verdict that better evidence changed.
func (r *run) corrections(ctx context.Context) error {
	head := []string{"点位编号 point", "时段编号 slot", "更正时间 at", "原结论 was", "原因 reason", "现结论 now", "原因 reason", "设备 device"}
	return r.table("ledger/corrections.csv", head, func(put func(...string) error) error {
		return r.each(ctx, func(o fleet.Obligation) error {
			if o.Revisions == 0 {
				return nil
			}
			all, err := r.e.o.Store.Corrections(ctx, o.Point, o.Slot)
			if err != nil {
				return fmt.Errorf("reading corrections: %w", err)
			}
			for _, c := range all {
				if err := put(r.points[c.Point].Code, string(c.Slot), r.at(c.At), verdictWords[c.Was.Verdict], string(c.Was.Reason),
					verdictWords[c.Now.Verdict], string(c.Now.Reason), string(c.Now.Device)); err != nil {
					return err
				}
			}
			return nil
		})
	})
}
