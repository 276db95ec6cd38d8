package fleet

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestEveryAuditCodeIsListed holds that whatever is told in the audit has a
// constant, and every constant stands in AuditCodes, by which pages offer and
// name them.
func TestEveryAuditCodeIsListed(t *testing.T) {
	declared := 0
	for _, root := range []string{"..", "../../cmd"} {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			fset := token.NewFileSet()
			file, err := parser.ParseFile(fset, path, nil, 0)
			if err != nil {
				return err
			}
			ast.Inspect(file, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.ValueSpec:
					if id, ok := n.Type.(*ast.Ident); !ok || id.Name != "AuditCode" || len(n.Values) != 1 {
						return true
					}
					lit, ok := n.Values[0].(*ast.BasicLit)
					if !ok {
						return true
					}
					declared++
					if code, err := strconv.Unquote(lit.Value); err != nil || !slices.Contains(AuditCodes, AuditCode(code)) {
						t.Errorf("%s: %s is not in AuditCodes of controller/fleet/audit.go (and needs its words, audit.%s, in both catalogs)", fset.Position(n.Pos()), n.Names[0].Name, code)
					}
				case *ast.KeyValueExpr:
					if key, ok := n.Key.(*ast.Ident); ok && key.Name == "What" && isText(n.Value) {
						t.Errorf("%s: a code without a constant", fset.Position(n.Pos()))
					}
				case *ast.CallExpr:
					if f, ok := n.Fun.(*ast.SelectorExpr); ok && f.Sel.Name == "audit" && len(n.Args) == 5 && isText(n.Args[2]) {
						t.Errorf("%s: a code without a constant", fset.Position(n.Pos()))
					}
				}
				return true
			})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if declared < 20 || declared != len(AuditCodes) {
		t.Errorf("%d codes are declared, %d listed", declared, len(AuditCodes))
	}
}

func isText(e ast.Expr) bool {
	lit, ok := e.(*ast.BasicLit)
	return ok && lit.Kind == token.STRING
}

func TestFieldsKeepTheirOrder(t *testing.T) {
	if got, want := Fields("b", "1", "a", "\"x\"\n", "c"), `{"b":"1","a":"\"x\"\n"}`; got != want {
		t.Errorf("Fields = %s, want %s", got, want)
	}
}
