package link

import "testing"

func TestRunsTellTwoMachinesFromOne(t *testing.T) {
	type hello struct {
		run     string
		session uint64
	}
	tests := []struct {
		name   string
		hellos []hello
		want   bool
	}{
		{"one machine reconnects", []hello{{"a", 1}, {"a", 2}, {"a", 3}, {"a", 4}, {"a", 5}}, false},
		{"it restarts", []hello{{"a", 1}, {"b", 2}, {"c", 3}, {"d", 4}, {"e", 5}, {"e", 6}}, false},
		{"its counter was lost", []hello{{"a", 100}, {"b", 7}, {"b", 8}, {"c", 9}}, false},
		{"its hellos are repeated", []hello{{"a", 1}, {"b", 2}, {"a", 1}, {"b", 2}, {"a", 1}, {"b", 3}, {"a", 1}, {"b", 4}, {"a", 1}}, false},
		{"one hello was held up over a restart", []hello{{"a", 1}, {"b", 3}, {"a", 2}, {"b", 4}, {"b", 5}, {"c", 6}}, false},
		{"a program that names no run", []hello{{"", 1}, {"", 2}, {"", 2}, {"", 3}, {"", 3}, {"", 4}}, false},
		{"a copied card", []hello{{"a", 5}, {"b", 6}, {"a", 6}, {"b", 7}, {"a", 7}}, true},
		{"one of the two restarts", []hello{{"a", 5}, {"b", 6}, {"a", 6}, {"c", 7}, {"a", 7}, {"c", 8}}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var r runs
			got := false
			for _, h := range tt.hellos {
				got = r.hello(h.run, h.session) || got
			}
			if got != tt.want {
				t.Errorf("clones = %v, want %v", got, tt.want)
			}
		})
	}
	var r runs
	for i := range uint64(1000) {
		r.hello(string(rune('0'+i)), i)
	}
	if len(r.all) > maxRuns {
		t.Errorf("%d runs are remembered, want at most %d", len(r.all), maxRuns)
	}
}
