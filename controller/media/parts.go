package media

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/durable"
)

// Parts are the uploads that arrive piece by piece, so that a connection that
// broke costs only what was under way. Each lies in a file of its own, with what
// is known of it beside it, and survives a restart. What nobody continues goes
// after PartLimits.Idle. Safe for concurrent use; nobody else may use the folder.
type Parts struct {
	dir    string
	limits PartLimits
	now    func() time.Time

	mu   sync.Mutex
	open map[string]*part
}

// part is one upload. Its bytes are written by whoever holds busy.
type part struct {
	fleet.Part
	busy bool
}

// PartLimits bound what Parts take. What is announced counts, not what has
// arrived, so that the disk holds what was promised.
type PartLimits struct {
	Bytes     int64         // of a file
	PerOwner  int64         // of all of one account's
	Total     int64         // of all
	Files     int           // of one account
	Idle      time.Duration // after the last piece
	FreeBytes int64         // that stay free on the disk
}

// DefaultPartLimits allow 20 files of 50 MB an account, 2 GB in all, and a day
// to come back.
func DefaultPartLimits() PartLimits {
	return PartLimits{Bytes: 50_000_000, PerOwner: 1_000_000_000, Total: 2_000_000_000, Files: 40, Idle: 24 * time.Hour, FreeBytes: 500_000_000}
}

// OpenParts opens the folder dir, which is created where it is missing, and
// forgets what is too old or damaged.
func OpenParts(dir string, l PartLimits, now func() time.Time) (*Parts, error) {
	p := &Parts{dir: dir, limits: l, now: now, open: map[string]*part{}}
	if err := durable.MkdirAll(dir, 0o750); err != nil {
		return nil, fmt.Errorf("opening uploads under way: %w", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("opening uploads under way: %w", err)
	}
	for _, e := range entries {
		id, isNote := strings.CutSuffix(e.Name(), ".json")
		if !isNote {
			continue
		}
		if x, ok := p.recall(id); ok {
			p.open[id] = x
		}
	}
	for _, e := range entries { // whatever belongs to none
		id := strings.TrimSuffix(strings.TrimSuffix(e.Name(), ".json"), ".part")
		if p.open[id] == nil {
			_ = os.Remove(filepath.Join(dir, e.Name()))
		}
	}
	p.Expire()
	return p, nil
}

// recall reads what is known of one upload.
func (p *Parts) recall(id string) (*part, bool) {
	data, err := os.ReadFile(p.note(id))
	if err != nil {
		return nil, false
	}
	x := &part{}
	if err := json.Unmarshal(data, &x.Part); err != nil || x.ID != id || x.Size < 1 {
		return nil, false
	}
	fi, err := os.Stat(p.file(id))
	if err != nil || !fi.Mode().IsRegular() || fi.Size() > x.Size {
		return nil, false
	}
	x.Have, x.Touched = fi.Size(), fi.ModTime()
	return x, true
}

func (p *Parts) note(id string) string { return filepath.Join(p.dir, id+".json") }
func (p *Parts) file(id string) string { return filepath.Join(p.dir, id+".part") }

// Begin announces a file of size bytes, or finds the one of the same owner,
// name, size and mark that is there already: mark is whatever else tells two
// files apart. A refusal is a *fleet.Error or an *Error.
func (p *Parts) Begin(owner, file, mark string, size int64) (fleet.Part, error) {
	if size < 1 {
		return fleet.Part{}, describe(file, &Error{Code: Empty})
	}
	if size > p.limits.Bytes {
		return fleet.Part{}, describe(file, &Error{Code: TooBig, MaxBytes: p.limits.Bytes})
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	var mine, all int64
	files := 0
	for _, x := range p.open {
		all += x.Size
		if x.Owner != owner {
			continue
		}
		if x.File == file && x.Mark == mark && x.Size == size {
			return x.Part, nil
		}
		mine, files = mine+x.Size, files+1
	}
	switch {
	case files >= p.limits.Files || mine+size > p.limits.PerOwner:
		return fleet.Part{}, &fleet.Error{
			Code:   fleet.Full,
			Text:   "您还有没传完的文件，已经占满您的上传空间。请先传完或取消它们。",
			TextEN: "Your unfinished uploads take all the room you have. Finish or cancel them first.",
		}
	case all+size > p.limits.Total:
		return fleet.Part{}, &fleet.Error{
			Code:   fleet.Full,
			Text:   "现在上传的人太多，请过几分钟再传。",
			TextEN: "Too much is being uploaded at present. Try again in some minutes.",
		}
	}
	if free, known := freeBytes(p.dir); known && free < size+p.limits.FreeBytes {
		return fleet.Part{}, describe(file, &Error{Code: DiskFull})
	}
	return p.begin(fleet.Part{Owner: owner, File: file, Mark: mark, Size: size, Touched: p.now()})
}

func (p *Parts) begin(x fleet.Part) (fleet.Part, error) {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	x.ID = hex.EncodeToString(b[:])
	data, err := json.Marshal(x)
	if err != nil {
		return fleet.Part{}, fmt.Errorf("announcing upload: %w", err)
	}
	if err := os.WriteFile(p.file(x.ID), nil, 0o640); err != nil {
		return fleet.Part{}, describe(x.File, err)
	}
	if err := durable.WriteFile(p.note(x.ID), data, 0o640); err != nil {
		_ = os.Remove(p.file(x.ID))
		return fleet.Part{}, describe(x.File, err)
	}
	p.open[x.ID] = &part{Part: x}
	return x, nil
}

// Part returns the upload id of owner as it stands; fleet.NotFound if there is
// none.
func (p *Parts) Part(owner, id string) (fleet.Part, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	x, err := p.find(owner, id)
	if err != nil {
		return fleet.Part{}, err
	}
	return x.Part, nil
}

// find returns the upload; p.mu is held.
func (p *Parts) find(owner, id string) (*part, error) {
	if x := p.open[id]; x != nil && x.Owner == owner {
		return x, nil
	}
	return nil, &fleet.Error{
		Code:   fleet.NotFound,
		Text:   "这次上传已经过期或取消，请重新选择文件。",
		TextEN: "This upload expired or was cancelled. Choose the file again.",
	}
}

// hold returns the upload for the caller alone, until release.
func (p *Parts) hold(owner, id string) (*part, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	x, err := p.find(owner, id)
	if err != nil {
		return nil, err
	}
	if x.busy {
		return nil, &fleet.Error{
			Code:   fleet.Conflict,
			Text:   "这个文件正在传，请稍等。",
			TextEN: "This file is being sent at this moment. Wait a little.",
		}
	}
	x.busy = true
	return x, nil
}

func (p *Parts) release(x *part, have int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	x.busy, x.Have, x.Touched = false, have, p.now()
}

// Append writes what r yields behind the first offset bytes, which have to be all
// that there are: otherwise nothing is written and the error is of code
// fleet.Conflict. What arrived before r broke stays, synced; the Part says how
// much that is, also with an error. r is not read beyond the announced size.
func (p *Parts) Append(ctx context.Context, owner, id string, offset int64, r io.Reader) (fleet.Part, error) {
	x, err := p.hold(owner, id)
	if err != nil {
		return fleet.Part{}, err
	}
	have := x.Have
	defer func() { p.release(x, have) }()
	now := func() fleet.Part { f := x.Part; f.Have = have; return f }
	if offset != have {
		return now(), &fleet.Error{
			Code:   fleet.Conflict,
			Text:   fmt.Sprintf("接不上：已收到 %d 字节，这一段从 %d 开始。", have, offset),
			TextEN: fmt.Sprintf("This does not follow: %d bytes have arrived, and this piece begins at %d.", have, offset),
		}
	}
	f, err := os.OpenFile(p.file(id), os.O_WRONLY, 0)
	if err != nil {
		return now(), describe(x.File, err)
	}
	defer f.Close()
	source := &uploadReader{ctx: ctx, r: io.LimitReader(r, x.Size-have+1)}
	n, err := io.Copy(io.NewOffsetWriter(f, have), source)
	over := have+n > x.Size
	if over {
		n = 0
		err = describe(x.File, &Error{Code: UploadCut, Bytes: have, Err: errors.New("more arrived than was announced")})
	}
	if serr := errors.Join(f.Truncate(have+n), f.Sync()); serr != nil {
		return now(), describe(x.File, serr)
	}
	have += n
	switch {
	case over:
	case source.err != nil:
		err = describe(x.File, &Error{Code: UploadCut, Bytes: have, Err: source.err})
	case err != nil:
		err = describe(x.File, err)
	}
	return now(), err
}

// Take hands an upload that is whole to fn, and forgets it when fn has returned
// without an error or with a *fleet.Error: what the file is will not change.
func (p *Parts) Take(owner, id string, fn func(r io.Reader, x fleet.Part) error) error {
	x, err := p.hold(owner, id)
	if err != nil {
		return err
	}
	defer func() { p.release(x, x.Have) }()
	if x.Have != x.Size {
		return describe(x.File, &Error{Code: UploadCut, Bytes: x.Have})
	}
	f, err := os.Open(p.file(id))
	if err != nil {
		return describe(x.File, err)
	}
	defer f.Close()
	err = fn(f, x.Part)
	var told *fleet.Error
	if err == nil || errors.As(err, &told) && told.Code != fleet.Full {
		p.forget(id)
	}
	return err
}

// Drop cancels an upload.
func (p *Parts) Drop(owner, id string) error {
	p.mu.Lock()
	_, err := p.find(owner, id)
	p.mu.Unlock()
	if err == nil {
		p.forget(id)
	}
	return err
}

func (p *Parts) forget(id string) {
	p.mu.Lock()
	delete(p.open, id)
	p.mu.Unlock()
	for _, file := range []string{p.note(id), p.file(id)} {
		if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
			continue // tried again at the next start
		}
	}
}

// Expire forgets what nobody has continued for PartLimits.Idle and returns how
// many those were.
func (p *Parts) Expire() int {
	p.mu.Lock()
	var old []string
	for id, x := range p.open {
		if !x.busy && p.now().Sub(x.Touched) > p.limits.Idle {
			old = append(old, id)
		}
	}
	p.mu.Unlock()
	for _, id := range old {
		p.forget(id)
	}
	return len(old)
}
