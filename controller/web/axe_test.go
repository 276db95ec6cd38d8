package web

import (
	_ "embed"
	"strings"

	"github.com/chromedp/chromedp"
)

// axe is axe-core 4.14.1 by Deque Systems (MPL-2.0), which looks for faults
// that keep people with a screen reader, a keyboard or weak eyes out.
//
//go:embed testdata/axe/axe.min.js
var axe string

// accessible fails the test for every rule of WCAG 2.1 A and AA, and of axe's
// good practice, that the page breaks, and names the first elements.
func (b *browser) accessible(where string) {
	b.t.Helper()
	if !ask[bool](b, `typeof axe === 'object'`) {
		ask[bool](b, axe+`;true`)
	}
	faults, err := chromedp.Run(b.ctx, chromedp.Evaluate[[]string](`axe.run(document, {
		runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'best-practice'], resultTypes: ['violations'],
	}).then(r => r.violations.map(v => v.id + ' (' + v.impact + '): ' + v.help + ': ' +
		v.nodes.slice(0, 3).map(n => n.target.join(' ') + ' ' + n.html.slice(0, 120)).join(' | ')))`, chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatalf("%s: looking for faults of accessibility: %v", where, err)
	}
	for _, f := range faults {
		b.t.Errorf("%s: %s", where, strings.Join(strings.Fields(f), " "))
	}
}
