package store

import "testing"

// databases are the kinds of database that every test of behaviour runs on.
var databases = []struct {
	name string
	open func(testing.TB) *Store
}{
	{"sqlite", newTestStore},
}

// onEach runs a test of behaviour on each database.
func onEach(t *testing.T, test func(*testing.T, *Store)) {
	t.Helper()
	for _, db := range databases {
		t.Run(db.name, func(t *testing.T) {
			t.Parallel()
			test(t, db.open(t))
		})
	}
}
