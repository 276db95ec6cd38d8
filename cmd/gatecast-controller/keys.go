package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"time"

	"gatecast/controller/fleet"
	"gatecast/controller/store"
	"gatecast/controller/trust"
	"gatecast/internal/keyfile"
	"gatecast/internal/seal"
)

// keyFlags are what init, rotate, mode and root take besides the folder.
type keyFlags struct {
	rootOut, releaseOut, paper string // files of init and rotate
	rootKey                    string // file with the root key, or with its words
	libraryOut, libraryPublic  string // of mode strict
	libraryKey                 string // of mode default
	passphrase                 string // file
	now, finish                bool   // of rotate ca
}

func (k *keyFlags) define(f *flag.FlagSet) {
	f.StringVar(&k.rootOut, "root-out", "", "file for the root key, instead of the data folder")
	f.StringVar(&k.releaseOut, "release-out", "", "file for the release key, instead of the data folder")
	f.StringVar(&k.paper, "paper", "", "HTML file for the paper backup of the root key")
	f.StringVar(&k.rootKey, "root-key", "", "file with the root key or its words, where it is kept offline")
	f.StringVar(&k.libraryOut, "library-key-out", "", "file for the library key")
	f.StringVar(&k.libraryPublic, "library-public", "", "public library key, as printed by gatecast sign --new-key")
	f.StringVar(&k.libraryKey, "library-key", "", "file with the library key")
	f.StringVar(&k.passphrase, "passphrase-file", "", "file whose first line locks or unlocks a library key or a backup")
	f.BoolVar(&k.now, "now", false, "replace the CA without a time in which both count")
	f.BoolVar(&k.finish, "finish", false, "end the time in which two CAs count")
}

// keyCommand finds what words ask for among the commands about keys.
func (p *program) keyCommand(words []string) (func(context.Context) error, bool) {
	switch strings.Join(words, " ") {
	case "init":
		return p.initKeys, true
	case "keys":
		return p.listKeys, true
	case "root paper":
		return p.rootPaper, true
	case "root restore":
		return p.rootRestore, true
	case "mode strict":
		return p.modeStrict, p.keys.libraryOut != "" || p.keys.libraryPublic != ""
	case "mode default":
		return p.modeDefault, true
	}
	if len(words) == 2 && words[0] == "rotate" && trust.Role(words[1]).Valid() {
		return func(ctx context.Context) error { return p.rotate(ctx, trust.Role(words[1])) }, true
	}
	return nil, false
}

func (p *program) trustDir() string { return filepath.Join(p.cfg.DataDir, "trust") }

// authority opens the trust folder that is there.
func (p *program) authority() (*trust.Authority, error) {
	if !trust.Exists(p.trustDir()) {
		return nil, &fleet.Error{Code: fleet.NotFound,
			Text:   fmt.Sprintf("数据目录 %s 里还没有密钥，请先执行 gatecast-controller init", p.cfg.DataDir),
			TextEN: fmt.Sprintf("data folder %s has no keys yet: run gatecast-controller init first", p.cfg.DataDir)}
	}
	return trust.Open(p.trustDir(), trust.Options{Names: p.cfg.Hosts, Logger: slog.New(slog.DiscardHandler)})
}

// changing opens store and trust folder for a command that changes keys: the
// server must be stopped, and the audit says what was done.
func (p *program) changing(ctx context.Context, do func(*store.Store, *trust.Authority) error) error {
	if _, err := p.authority(); err != nil {
		return err
	}
	s, err := p.open(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	a, err := p.authority() // again, now that nobody else has it
	if err != nil {
		return err
	}
	return do(s, a)
}

func keyAudit(ctx context.Context, s *store.Store, what fleet.AuditCode, object, before, after string) error {
	by := "console"
	if u, err := user.Current(); err == nil {
		by = u.Username
	}
	return s.AddAudit(ctx, fleet.Audit{At: time.Now(), Who: by, What: what, Object: object, Before: before, After: after})
}

// initKeys makes every key of an office that has none.
func (p *program) initKeys(ctx context.Context) error {
	if trust.Exists(p.trustDir()) {
		return &fleet.Error{Code: fleet.Conflict,
			Text:   fmt.Sprintf("数据目录 %s 已有密钥，init 只能做一次；要更换某把密钥请用 rotate", p.cfg.DataDir),
			TextEN: fmt.Sprintf("data folder %s has its keys already, and init is done once: replace a key with rotate", p.cfg.DataDir)}
	}
	for _, file := range []string{p.keys.rootOut, p.keys.releaseOut, p.keys.paper} {
		if err := free(file); err != nil {
			return err
		}
	}
	s, err := p.open(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	a, err := trust.Open(p.trustDir(), trust.Options{Names: p.cfg.Hosts, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	root, err := readKey(filepath.Join(p.trustDir(), "root.key"))
	if err != nil {
		return err
	}
	if err := p.showPaper(root); err != nil {
		return err
	}
	for name, to := range map[string]string{"root.key": p.keys.rootOut, "release.key": p.keys.releaseOut} {
		if err := p.moveKey(name, to); err != nil {
			return err
		}
	}
	if err := keyAudit(ctx, s, fleet.AuditKeys, "init", "", keysText(a)); err != nil {
		return err
	}
	fmt.Fprintf(p.out, "\n信任根 · trust root: %s\n\n", a.RootHash())
	for _, role := range trust.Roles {
		zh, en := role.Thief()
		fmt.Fprintf(p.out, "[%s]\n%s\n%s\n\n", role, zh, en)
	}
	if p.keys.rootOut == "" {
		fmt.Fprintf(p.out, "请把 %s 移到离线介质（U 盘锁进柜子），主控日常不需要它；轮换密钥时用 --root-key 指给它。\n"+
			"Move %[1]s to an offline medium: the controller does not need it from day to day; --root-key names it when keys are rotated.\n", filepath.Join(p.trustDir(), "root.key"))
	}
	return nil
}

// moveKey takes a key file out of the trust folder. An empty name leaves it.
func (p *program) moveKey(name, to string) error {
	if to == "" {
		return nil
	}
	from := filepath.Join(p.trustDir(), name)
	text, err := os.ReadFile(from)
	if err != nil {
		return fmt.Errorf("reading key: %w", err)
	}
	if err := trust.WriteNew(to, text); err != nil {
		return err
	}
	if err := os.Remove(from); err != nil {
		return fmt.Errorf("removing key: %w", err)
	}
	fmt.Fprintf(p.out, "已移出 · moved out: %s → %s\n", from, to)
	return nil
}

// free refuses a file that is there already.
func free(file string) error {
	if file == "" {
		return nil
	}
	if _, err := os.Lstat(file); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return &fleet.Error{Code: fleet.Conflict,
		Text: fmt.Sprintf("文件 %s 已经存在，请换一个名字", file), TextEN: fmt.Sprintf("file %s exists already: choose another name", file)}
}

// listKeys prints the keys in force.
func (p *program) listKeys(context.Context) error {
	a, err := p.authority()
	if err != nil {
		return err
	}
	mode := "默认 default"
	if a.Strict() {
		mode = "严格 strict"
	}
	fmt.Fprintf(p.out, "信任根 · trust root: %s（第 %d 版 version %[2]d）\n模式 · mode: %s\n%s", a.RootHash(), a.RootVersion(), mode, keysText(a))
	return nil
}

func keysText(a *trust.Authority) string {
	var b strings.Builder
	for _, k := range a.Keys() {
		at := "离线 offline"
		if k.Here {
			at = "本机 here"
		}
		if k.Going {
			at += " 将退役 going"
		}
		fmt.Fprintf(&b, "%-8s  %s  %s  %s\n", k.Role, k.ID, k.Since.Local().Format(time.DateOnly), at)
	}
	return b.String()
}

// rotate replaces one key.
func (p *program) rotate(ctx context.Context, role trust.Role) error {
	r := trust.Rotation{Role: role, Now: p.keys.now, Finish: p.keys.finish}
	switch role {
	case trust.RootRole:
		r.KeyOut = p.keys.rootOut
	case trust.ReleaseRole:
		r.KeyOut = p.keys.releaseOut
	}
	for _, file := range []string{r.KeyOut, p.keys.paper} {
		if err := free(file); err != nil {
			return err
		}
	}
	return p.changing(ctx, func(s *store.Store, a *trust.Authority) error {
		if role == trust.LibraryRole && a.Strict() && p.keys.libraryPublic == "" {
			return &fleet.Error{Code: fleet.Conflict,
				Text:   "严格模式下素材密钥在签发人的电脑上产生：先在那里执行 gatecast sign --new-key 文件，再用 --library-public 指给这里",
				TextEN: "in strict mode the library key is made on the approver's machine: run gatecast sign --new-key FILE there and name its public half here with --library-public"}
		}
		if role == trust.CARole && r.Finish {
			if err := p.mayFinish(ctx, s, a); err != nil {
				return err
			}
		}
		var err error
		if p.keys.libraryPublic != "" && role == trust.LibraryRole {
			if r.Public, err = publicKey(p.keys.libraryPublic); err != nil {
				return err
			}
		}
		done, err := p.replace(ctx, s, a, r, fleet.AuditRotate)
		if err != nil {
			return err
		}
		if role == trust.RootRole {
			if err := p.showPaper(done.Secret); err != nil {
				return err
			}
			fmt.Fprintln(p.out, "旧的纸质备份作废，请销毁。 · The paper of before is void: destroy it.")
		}
		return nil
	})
}

// replace rotates with the root key that the flags name, and says so.
func (p *program) replace(ctx context.Context, s *store.Store, a *trust.Authority, r trust.Rotation, what fleet.AuditCode) (done trust.Rotated, err error) {
	if p.keys.rootKey != "" {
		if r.Root, err = readKey(p.keys.rootKey); err != nil {
			return done, err
		}
	}
	done, err = a.Rotate(r)
	switch {
	case errors.Is(err, trust.ErrNoRootKey):
		return done, &fleet.Error{Code: fleet.Forbidden, Err: err,
			Text:   "这一步要用根密钥：请用 --root-key 指明 root.key 文件，或抄有纸质备份的文本文件",
			TextEN: "this takes the root key: name the file root.key, or a text file with the words of the paper, with --root-key"}
	case errors.Is(err, trust.ErrOverlap):
		return done, &fleet.Error{Code: fleet.Conflict, Err: err,
			Text:   "证书密钥正在（或没有）轮换中：rotate ca 之后用 rotate ca --finish 结束，急用时 rotate ca --now",
			TextEN: "the CA is, or is not, being rotated: rotate ca begins, rotate ca --finish ends it, and rotate ca --now is for emergencies"}
	case err != nil:
		return done, err
	}
	if err := keyAudit(ctx, s, what, string(r.Role), strings.Join(done.Old, " "), strings.Join(done.New, " ")); err != nil {
		return done, err
	}
	fmt.Fprintf(p.out, "已轮换 · rotated: %s  %s → %s（信任根第 %d 版 · trust root version %[4]d）\n"+
		"启动服务后设备自动换根；未用的入网命令须重新生成 · start the server and devices follow by themselves; join lines not used yet have to be made anew\n",
		r.Role, strings.Join(done.Old, " "), strings.Join(done.New, " "), done.Version)
	return done, nil
}

// mayFinish refuses to take the old CA away while devices have no root that
// names the new one. They could follow, but only by way of a server that they
// do not know.
func (p *program) mayFinish(ctx context.Context, s *store.Store, a *trust.Authority) error {
	all, err := s.Devices(ctx)
	if err != nil {
		return err
	}
	behind, active := 0, 0
	for _, d := range all {
		if d.State != fleet.DeviceActive {
			continue
		}
		if active++; d.RootVersion < a.RootVersion() {
			behind++
		}
	}
	if behind == 0 || p.keys.now {
		return nil
	}
	return &fleet.Error{Code: fleet.Conflict,
		Text:   fmt.Sprintf("%d 台设备中有 %d 台还没有收到新的信任根，等它们上线后再结束；不等就加 --now，它们上线时会自己补上", active, behind),
		TextEN: fmt.Sprintf("%d of %d devices have not got the new trust root yet: wait for them, or add --now and they catch up when they come back", behind, active)}
}

// modeStrict takes the library key off this machine.
func (p *program) modeStrict(ctx context.Context) error {
	if err := free(p.keys.libraryOut); err != nil {
		return err
	}
	return p.changing(ctx, func(s *store.Store, a *trust.Authority) error {
		if p.keys.libraryPublic != "" {
			public, err := publicKey(p.keys.libraryPublic)
			if err != nil {
				return err
			}
			if _, err := p.replace(ctx, s, a, trust.Rotation{Role: trust.LibraryRole, Public: public}, fleet.AuditMode); err != nil {
				return err
			}
		} else {
			err := a.GoStrict(p.keys.libraryOut, func(k seal.Key) ([]byte, error) {
				pass, err := p.passphrase()
				if err != nil || pass == nil {
					return keyfile.Plain(k), err
				}
				return keyfile.Lock(k, pass)
			})
			if errors.Is(err, trust.ErrMode) {
				return &fleet.Error{Code: fleet.Conflict, Err: err, Text: "已经是严格模式", TextEN: "the office is in strict mode already"}
			}
			if err != nil {
				return err
			}
			if err := keyAudit(ctx, s, fleet.AuditMode, "strict", "default", "strict"); err != nil {
				return err
			}
			fmt.Fprintf(p.out, "素材密钥已移到 · the library key is now in: %s\n", p.keys.libraryOut)
		}
		fmt.Fprintln(p.out, "严格模式：素材清单由签发人在自己的电脑上用 gatecast sign 签署，在网页“待签清单”导出和导回。\n"+
			"Strict mode: the approver signs manifests with gatecast sign; export and import them on the page Signing.")
		return nil
	})
}

// modeDefault has the controller seal manifests again.
func (p *program) modeDefault(ctx context.Context) error {
	return p.changing(ctx, func(s *store.Store, a *trust.Authority) error {
		if !a.Strict() {
			return &fleet.Error{Code: fleet.Conflict, Text: "已经是默认模式", TextEN: "the office is in default mode already"}
		}
		if p.keys.libraryKey == "" {
			_, err := p.replace(ctx, s, a, trust.Rotation{Role: trust.LibraryRole}, fleet.AuditMode)
			return err
		}
		text, err := os.ReadFile(p.keys.libraryKey)
		if err != nil {
			return fmt.Errorf("reading library key: %w", err)
		}
		pass, err := p.passphrase()
		if err != nil {
			return err
		}
		k, err := keyfile.Open(text, pass)
		if err != nil {
			return sayKeyFile(p.keys.libraryKey, err)
		}
		if err := a.GoDefault(k); err != nil {
			return err
		}
		if err := keyAudit(ctx, s, fleet.AuditMode, "default", "strict", "default"); err != nil {
			return err
		}
		fmt.Fprintln(p.out, "默认模式：主控自己签署素材清单。 · Default mode: the controller signs manifests by itself.")
		return nil
	})
}

// passphrase reads the first line of the file that the flags name, nil for none.
func (p *program) passphrase() ([]byte, error) {
	if p.keys.passphrase == "" {
		return nil, nil
	}
	data, err := os.ReadFile(p.keys.passphrase)
	if err != nil {
		return nil, fmt.Errorf("reading passphrase: %w", err)
	}
	line, _, _ := strings.Cut(string(data), "\n")
	return []byte(strings.TrimRight(line, "\r")), nil
}

func publicKey(s string) (seal.PublicKey, error) {
	k, err := seal.ParsePublicKey(s)
	if err != nil {
		return nil, &fleet.Error{Code: fleet.Invalid, Err: err,
			Text:   fmt.Sprintf("“%s”不是公钥，请粘贴 gatecast sign --new-key 打印的那一串", s),
			TextEN: fmt.Sprintf("%q is not a public key: paste what gatecast sign --new-key printed", s)}
	}
	return k, nil
}

// readKey reads a root key from a key file or from the words of its paper.
func readKey(file string) (seal.Key, error) {
	f, err := os.Open(file)
	if err != nil {
		return seal.Key{}, fmt.Errorf("reading key: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, 8<<10))
	if err != nil {
		return seal.Key{}, fmt.Errorf("reading key: %w", err)
	}
	if k, err := keyfile.Open(text, nil); err == nil {
		return k, nil
	}
	k, err := trust.ParsePaper(string(text))
	if err != nil {
		return seal.Key{}, sayPaper(err)
	}
	return k, nil
}

func sayKeyFile(file string, err error) error {
	zh, en := "不是密钥文件", "is not a key file"
	switch {
	case errors.Is(err, keyfile.ErrLocked):
		zh, en = "有口令保护，请用 --passphrase-file 指明口令文件", "is locked: name a file with its passphrase by --passphrase-file"
	case errors.Is(err, keyfile.ErrPassphrase):
		zh, en = "的口令不对", "has another passphrase"
	}
	return &fleet.Error{Code: fleet.Invalid, Err: err, Text: file + " " + zh, TextEN: file + " " + en}
}
