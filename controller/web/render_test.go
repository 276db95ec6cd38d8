package web

import (
	"io/fs"
	"path"
	"slices"
	"strings"
	"testing"
)

// TestEveryPageParses looks at what a server would otherwise meet when somebody
// opens the page.
func TestEveryPageParses(t *testing.T) {
	names, err := fs.Glob(templateFiles, "templates/*.html")
	if err != nil || len(names) < 50 {
		t.Fatalf("%d templates, %v", len(names), err)
	}
	s := newEmptyWorld(t).server
	for _, file := range names {
		if slices.Contains(shared, file) {
			continue
		}
		for _, code := range languages {
			if _, err := s.pages.page(code, strings.TrimSuffix(path.Base(file), ".html")); err != nil {
				t.Error(err)
			}
		}
	}
	for _, name := range []string{"nowhere", "../locale/zh"} {
		if page, err := s.pages.page("zh", name); err == nil {
			t.Errorf("page %q = %v, want an error", name, page.Name())
		}
	}
	if page, err := s.pages.page("fr", "overview"); err == nil {
		t.Errorf("a page in French = %v, want an error", page.Name())
	}
}
