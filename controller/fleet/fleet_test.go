package fleet

import (
	"errors"
	"fmt"
	"testing"
)

func TestCountsSumToOwed(t *testing.T) {
	var c Counts
	for i, v := range append(append([]Verdict{}, Verdicts...), Due, Played, Missed) {
		c.Add(v)
		if sum := c.Played + c.Partial + c.Missed + c.Doubt + c.Exempt + c.Pending + c.Due; sum != c.Owed || c.Owed != i+1 {
			t.Fatalf("after %d: sum %d, owed %d", i+1, sum, c.Owed)
		}
	}
	d := c.Plus(c)
	if d.Owed != 2*c.Owed || d.Played != 4 {
		t.Errorf("Plus = %+v", d)
	}
}

func TestRates(t *testing.T) {
	tests := []struct {
		name      string
		c         Counts
		confirmed string
		pending   string
	}{
		{"nothing_owed", Counts{}, "-", "-"},
		{"all_exempt", Counts{Owed: 3, Exempt: 3}, "-", "-"},
		{"all_pending", Counts{Owed: 3, Pending: 3}, "-", "0.000"},
		{"day", Counts{Owed: 10, Played: 6, Missed: 1, Exempt: 1, Pending: 2}, "0.857", "0.667"},
		{"not_due_yet", Counts{Owed: 3, Played: 1, Due: 2}, "1.000", "1.000"},
	}
	show := func(r float64, ok bool) string {
		if !ok {
			return "-"
		}
		return fmt.Sprintf("%.3f", r)
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := show(tt.c.Confirmed()); got != tt.confirmed {
				t.Errorf("Confirmed = %s, want %s", got, tt.confirmed)
			}
			if got := show(tt.c.CountingPending()); got != tt.pending {
				t.Errorf("CountingPending = %s, want %s", got, tt.pending)
			}
		})
	}
}

func TestCodeOfFindsWrapped(t *testing.T) {
	err := fmt.Errorf("loading: %w", &Error{Code: NotFound, TextEN: "no such point"})
	if got := CodeOf(err); got != NotFound {
		t.Errorf("CodeOf = %q", got)
	}
	if got := CodeOf(errors.New("x")); got != Internal {
		t.Errorf("CodeOf(plain) = %q", got)
	}
	if got := CodeOf(nil); got != "" {
		t.Errorf("CodeOf(nil) = %q", got)
	}
}

func TestMay(t *testing.T) {
	if May("", ActRead) || May(Supervisor, ActActivate) || May(Clerk, ActUsers) || May(Admin, ActApprove) || May(Auditor, ActRead) {
		t.Error("May allows too much")
	}
	if !May(Admin, ActUsers) || !May(Clerk, ActActivate) || !May(Supervisor, ActRead) {
		t.Error("May allows too little")
	}
}
