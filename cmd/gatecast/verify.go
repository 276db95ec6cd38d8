package main

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"gatecast/agent/journal"
	"gatecast/internal/durable"
	"gatecast/internal/evidence"
	"gatecast/internal/seal"
)

// runVerify checks a journal copied off a card, an export of a controller, its
// audit, or a table that it handed out with a slip, offline and with public
// keys alone.
func runVerify(_ context.Context, std streams, args []string) int {
	fs := newFlags(std, "gatecast verify [--root HASH] [--trust root.json] [--slip SLIP.json] [--lang zh|en] FILE.zip|DIR|AUDIT.jsonl|TABLE.xlsx|TABLE.csv")
	root := fs.String("root", "", "信任根指纹（接入命令里的那一串） · fingerprint of the trust root, as on the join line")
	trust := fs.String("trust", "", "信任根文件，用于没有附带它的日志目录 · trust root file, for a journal that comes without")
	slip := fs.String("slip", "", "核验单，缺省为同目录下的那一份 · the slip of a table; otherwise the one in the same folder")
	lang := fs.String("lang", "zh", "zh|en")
	rest, status, done := parseFlags(fs, args)
	if done {
		return status
	}
	if len(rest) != 1 || *lang != "zh" && *lang != "en" {
		fs.Usage()
		return exitUsage
	}
	w := verifyWords{out: std.out, en: *lang == "en"}
	if r, ok, err := openAudit(rest[0], *root); ok && err == nil {
		return w.writeAudit(rest[0], *root, r)
	}
	if c, ok, err := openSlip(rest[0], *slip, *root); ok {
		if err != nil {
			fmt.Fprintln(std.err, w.unusableSlip(c, err))
			return exitUsage
		}
		return w.writeSlip(c, *root)
	}
	v, err := openEvidence(rest[0], *root, *trust)
	if err == nil {
		defer v.close()
		err = v.verify()
	}
	if err != nil {
		fmt.Fprintln(std.err, w.unusable(rest[0], err))
		return exitUsage
	}
	w.write(v)
	if len(v.report.Faults) > 0 || v.otherRoot {
		return exitBad
	}
	return exitOK
}

// verified is what is checked, and what came of it.
type verified struct {
	path      string
	export    *evidence.Export // nil for a journal
	report    evidence.Report
	rootHash  string // of the trust root that signatures were checked against; empty for none
	pinned    bool   // it is the one that was asked for
	otherRoot bool   // it is not

	want    string
	files   fs.FS
	archive *zip.ReadCloser
	folder  *journal.Folder
	root    []byte
}

// errNeither means that a path holds nothing to verify.
var errNeither = errors.New("neither a journal nor an export")

// openEvidence finds out what path is. trust names a trust root for a journal
// that comes without one.
func openEvidence(path, root, trust string) (*verified, error) {
	v := &verified{path: path, want: root}
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		if v.archive, err = zip.OpenReader(path); err != nil {
			return nil, fmt.Errorf("%w: %w", errNeither, err)
		}
		v.files = v.archive
		return v, nil
	}
	if _, err := os.Stat(filepath.Join(path, evidence.ContentsFile)); err == nil {
		v.files = os.DirFS(path)
		return v, nil
	}
	dir, card := path, durable.On(nil)
	v.folder, err = journal.OpenFolder(dir)
	if errors.Is(err, fs.ErrNotExist) { // perhaps a device's whole data folder
		dir = filepath.Join(path, "journal")
		v.folder, err = journal.OpenFolder(dir)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errNeither
	}
	if err != nil {
		return nil, err
	}
	if trust != "" {
		v.root, err = card.ReadChecked(trust)
		return v, err
	}
	// As the device itself keeps it, twice; without it receipts go unchecked.
	for _, name := range []string{"root.json", "root-copy.json"} {
		root, err := card.ReadChecked(filepath.Join(dir, "..", "identity", name))
		if _, bad := evidence.OpenRoot(root); err == nil && bad == nil {
			v.root = root
			break
		}
	}
	return v, nil
}

func (v *verified) close() {
	if v.archive != nil {
		_ = v.archive.Close() // only read
	}
}

func (v *verified) verify() (err error) {
	if v.files != nil {
		v.export, v.report, err = evidence.VerifyExport(v.files, v.want)
		if err != nil {
			return err
		}
		v.rootHash, v.pinned = v.export.RootHash, v.want != ""
		return nil
	}
	var o evidence.Options
	if v.root != nil {
		doc, err := evidence.OpenRoot(v.root)
		if err != nil {
			return fmt.Errorf("trust root: %w", err)
		}
		if o.Director, err = evidence.ReceiptKeys(doc); err != nil {
			return fmt.Errorf("trust root: %w", err)
		}
		v.rootHash = seal.Hash(v.root)
		v.pinned = v.want == v.rootHash
		v.otherRoot = v.want != "" && !v.pinned
	}
	v.report, err = evidence.Verify(v.folder, o)
	return err
}
