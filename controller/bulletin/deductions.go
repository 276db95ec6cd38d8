package bulletin

import (
	"context"
	"fmt"

	"gatecast/controller/fleet"
)

// deductions tells which points were taken off in the period, and what was
// decided: also about a notice that an earlier issue told of, which stays as it
// was printed.
func (w *drafting) deductions(ctx context.Context, _ *fleet.BulletinContent, ch *fleet.BulletinChapter) error {
	news, err := w.d.o.Deductions.DeductionNews(ctx, w.from, w.to)
	if err != nil {
		return err
	}
	for _, n := range news {
		d := n.Deduction
		notice := fmt.Sprintf("%s扣分告知〔%d〕%d号（%s第%d版，%s分）", d.Name, d.Year, d.Number, d.Rule.Code, d.Rule.Version, d.Points)
		switch n.Step.To {
		case fleet.DeductionNotified:
			ch.Facts = append(ch.Facts, notice+"已告知。")
		case fleet.DeductionUpheld:
			ch.Facts = append(ch.Facts, notice+"维持。理由："+n.Step.Reason+"。")
		case fleet.DeductionRevoked:
			ch.Facts = append(ch.Facts, fmt.Sprintf("更正：%s撤销，扣分由%s分改为0分。理由：%s。", notice, d.Points, n.Step.Reason))
		}
	}
	return nil
}
