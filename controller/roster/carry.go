package roster

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"gatecast/controller/fleet"
)

// Done is what carrying out a file came to.
type Done struct {
	Added, Changed, Same int
	Left                 int // rows that were left out for their errors
}

// Carry does what c says, in one transaction. Without partial a file with an
// error changes nothing; with it the rows without errors are taken, and so are
// only those whose references are there. When the registry has changed so that
// the file would do something else than c says, nothing is done and the new
// Check is returned to be looked at. by names who does it; each changed row
// adds a line like it to the audit.
func (d *Desk) Carry(ctx context.Context, c *Check, partial bool, by fleet.Audit, today fleet.Day) (Done, *Check, error) {
	fresh, err := d.check(ctx, c.book, c.kind, nil)
	if err != nil {
		return Done{}, nil, err
	}
	if fresh.said() != c.said() {
		return Done{}, fresh, nil
	}
	if fresh.Errors() > 0 && !partial {
		return Done{}, nil, wrong("文件里还有错误，没有导入。请改正后重新上传，或选择只导入没有错误的行。",
			"There are errors in the file and nothing was imported. Correct them and upload again, or choose to import the rows without errors only.")
	}
	// Rows whose references were left out get errors of their own; each round
	// leaves out at least one more.
	without := map[int]bool{}
	for {
		bad := 0
		for i, l := range fresh.Lines {
			if l.Did == fleet.DidRefuse && !without[i] {
				without[i] = true
				bad++
			}
		}
		if bad == 0 {
			break
		}
		if fresh, err = d.check(ctx, c.book, c.kind, without); err != nil {
			return Done{}, nil, err
		}
	}
	out, err := d.register.ApplyRegistry(ctx, fresh.changes, fleet.RegistryOptions{By: by, Today: today})
	if err != nil {
		return Done{}, nil, err
	}
	if !out.Applied {
		return Done{}, fresh, nil // it changed between the two
	}
	return Done{Added: out.Count(fleet.DidAdd), Changed: out.Count(fleet.DidChange), Same: out.Count(fleet.DidNothing), Left: len(without)}, nil, nil
}

// said is what a clerk who agrees to c agrees to.
func (c *Check) said() string {
	var b strings.Builder
	for _, l := range c.Lines {
		fmt.Fprintf(&b, "%s!%d %s %s", l.Sheet, l.Row, l.Label, l.Did)
		for _, d := range l.Changes {
			fmt.Fprintf(&b, " %s %q %q", d.Column.Field, d.Before, d.After)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// Refused lists the rows with errors.
func (c *Check) Refused() []Line {
	return slices.DeleteFunc(slices.Clone(c.Lines), func(l Line) bool { return l.Did != fleet.DidRefuse })
}
