package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"gatecast/audio"
	"gatecast/audio/output"
	"gatecast/internal/durable"
	"gatecast/internal/keyfile"
	"gatecast/internal/seal"
	"gatecast/internal/signing"
	"gatecast/internal/wire"
)

// signOptions are the flags of sign.
type signOptions struct {
	key, newKey, pass, out, sink string
	play, yes                    bool
}

// runSign reviews a bundle on the approver's machine and signs it, or makes
// the library key there.
func runSign(ctx context.Context, std streams, args []string) int {
	var o signOptions
	f := newFlags(std, "gatecast sign BUNDLE.zip --key FILE [--play] [--yes] [--out FILE]", "gatecast sign --new-key FILE [--passphrase-file FILE]")
	f.StringVar(&o.key, "key", "", "素材密钥文件 · file with the library key")
	f.StringVar(&o.newKey, "new-key", "", "在本机生成素材密钥 · make a library key in this file")
	f.StringVar(&o.pass, "passphrase-file", "", "首行是口令的文件；不给则询问 · file whose first line is the passphrase; asked for otherwise")
	f.StringVar(&o.out, "out", "", "签署结果，默认在包旁边 · the signed file; beside the bundle by default")
	f.StringVar(&o.sink, "sink", "pulse", "试听设备：alsa、aplay、pulse 或 file:目录 · where --play sounds: alsa, aplay, pulse or file:DIR")
	f.BoolVar(&o.play, "play", false, "逐条播放新素材 · play each new clip")
	f.BoolVar(&o.yes, "yes", false, "不再询问，直接签署 · sign without asking")
	files, status, done := parseFlags(f, args)
	if done {
		return status
	}
	s := &signer{std: std, o: o, in: bufio.NewReader(std.in)}
	var err error
	switch {
	case o.newKey != "" && len(files) == 0 && o.key == "":
		err = s.makeKey()
	case o.newKey == "" && len(files) == 1 && o.key != "":
		err = s.sign(ctx, files[0])
	default:
		f.Usage()
		return exitUsage
	}
	if err != nil {
		fmt.Fprintln(std.err, "gatecast sign:", err)
		return exitBad
	}
	return exitOK
}

// signer is one run of sign.
type signer struct {
	std streams
	o   signOptions
	in  *bufio.Reader
}

// Errors in the words of the person at the machine.
var (
	errNotSigned = errors.New("没有签署 · not signed")
	errOtherKey  = errors.New("这把密钥不是该单位现用的素材密钥 · this key is not the library key that the office asks for")
)

// makeKey draws a library key. Its secret stays in the file.
func (s *signer) makeKey() error {
	k, err := seal.NewKey()
	if err != nil {
		return err
	}
	pass, err := s.passphrase("为密钥设一个口令（留空则不加密） · choose a passphrase for the key (empty: none): ")
	if err != nil {
		return err
	}
	text := keyfile.Plain(k)
	if len(pass) > 0 {
		if text, err = keyfile.Lock(k, pass); err != nil {
			return err
		}
	}
	if err := writeNew(s.o.newKey, text); err != nil {
		return err
	}
	fmt.Fprintf(s.std.out, "素材密钥在 · the library key is in: %s\n把公钥交给系统管理员 · give its public half to the administrator:\n\n"+
		"  gatecast-controller mode strict --library-public %s\n", s.o.newKey, k.Public())
	return nil
}

func writeNew(path string, data []byte) error {
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("文件已存在，请换一个名字 · it exists already, choose another name: %s", path)
	}
	return durable.WriteFile(path, data, 0o600)
}

// sign reviews a bundle, asks, and writes the signed manifest.
func (s *signer) sign(ctx context.Context, file string) error {
	k, err := s.readKey()
	if err != nil {
		return err
	}
	f, err := os.Open(file)
	if err != nil {
		return fmt.Errorf("opening bundle: %w", err)
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return fmt.Errorf("opening bundle: %w", err)
	}
	b, err := signing.Open(f, fi.Size())
	if err != nil {
		return err
	}
	wanted := false
	for _, lib := range b.Request.Library {
		wanted = wanted || lib == k.Public().String()
	}
	if !wanted {
		return errOtherKey
	}
	out := s.o.out
	if out == "" {
		out = strings.TrimSuffix(file, ".zip") + ".signed.json"
	}
	known, from, err := s.known(b, k)
	if err != nil {
		return err
	}
	s.head(b, from)
	r, err := b.Review(ctx, known, func(c signing.Clip) { s.clip(ctx, c) })
	if err != nil {
		return err
	}
	s.rest(r)
	if len(r.Faults) > 0 {
		for _, fault := range r.Faults {
			fmt.Fprintln(s.std.err, "✗", fault)
		}
		return errNotSigned
	}
	if !s.o.yes && !s.ask() {
		return errNotSigned
	}
	env, err := b.Sign(k)
	if err != nil {
		return err
	}
	// First what this machine remembers: a manifest that went out must never be
	// followed by an older one that looks new.
	if err := durable.WriteFile(s.memory(), env, 0o600); err != nil {
		return err
	}
	if err := durable.WriteFile(out, env, 0o644); err != nil {
		return err
	}
	fmt.Fprintf(s.std.out, "\n已签署 · signed: %s\n请在网页“待签清单”导入 · import it on the page Signing\n", out)
	return nil
}

// memory is the file that keeps the manifest signed last with this key.
func (s *signer) memory() string { return s.o.key + ".last" }

// known returns the manifest that this key signed last: as this machine
// remembers it, or, on a machine that has none, as the bundle has it. It counts
// by its signature alone.
func (s *signer) known(b *signing.Bundle, k seal.Key) (*wire.Manifest, string, error) {
	env, err := os.ReadFile(s.memory())
	from := "本机上次签署 · signed here last"
	switch {
	case errors.Is(err, fs.ErrNotExist):
		env, from = b.Previous, "包内附带（本机没有记录） · as the bundle has it (this machine remembers none)"
	case err != nil:
		return nil, "", fmt.Errorf("reading what was signed last: %w", err)
	}
	var m wire.Manifest
	if env != nil {
		_, err = seal.Open(env, []seal.PublicKey{k.Public()}, seal.Expect{Type: wire.DocManifest}, &m)
	}
	switch {
	case env != nil && err == nil:
		return &m, from, nil
	case s.remembers():
		return nil, "", fmt.Errorf("上次签署的记录已损坏，请核实后删除 · the record of what was signed last is damaged: look into it, then remove %s", s.memory())
	}
	return nil, "没有，全部按新素材列出 · none: everything counts as new", nil
}

func (s *signer) remembers() bool {
	_, err := os.Stat(s.memory())
	return err == nil
}

func (s *signer) readKey() (seal.Key, error) {
	f, err := os.Open(s.o.key)
	if err != nil {
		return seal.Key{}, fmt.Errorf("reading key: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, keyfile.MaxFile+1))
	if err != nil {
		return seal.Key{}, fmt.Errorf("reading key: %w", err)
	}
	k, err := keyfile.Open(text, nil)
	if !errors.Is(err, keyfile.ErrLocked) {
		return k, err
	}
	pass, err := s.passphrase("密钥口令 · passphrase of the key: ")
	if err != nil {
		return seal.Key{}, err
	}
	if k, err = keyfile.Open(text, pass); errors.Is(err, keyfile.ErrPassphrase) {
		return k, fmt.Errorf("口令不对 · %w", err)
	}
	return k, err
}

// passphrase reads one from the file of the flags, or asks for it.
func (s *signer) passphrase(prompt string) ([]byte, error) {
	if s.o.pass != "" {
		data, err := os.ReadFile(s.o.pass)
		if err != nil {
			return nil, fmt.Errorf("reading passphrase: %w", err)
		}
		line, _, _ := strings.Cut(string(data), "\n")
		return []byte(strings.TrimRight(line, "\r")), nil
	}
	fmt.Fprint(s.std.err, prompt)
	show := hideInput(s.std.in)
	line, err := s.in.ReadString('\n')
	show()
	fmt.Fprintln(s.std.err)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("reading passphrase: %w", err)
	}
	return []byte(strings.TrimRight(line, "\r\n")), nil
}

func (s *signer) ask() bool {
	fmt.Fprint(s.std.err, "\n以上内容可以对外播放，签署？输入 yes · sign, so that this may sound in public? type yes: ")
	line, _ := s.in.ReadString('\n')
	return strings.EqualFold(strings.TrimSpace(line), "yes")
}

// hear plays a clip as a gate would: with its gain, through the limiter.
func (s *signer) hear(ctx context.Context, c signing.Clip) error {
	kind, device, _ := strings.Cut(s.o.sink, ":")
	sink, err := output.Open(kind, device, output.Options{KeepMixer: true, Server: output.ServerFromEnv(os.Getenv)})
	if err != nil {
		return err
	}
	defer sink.Close()
	src, err := audio.Render(c.PCM, audio.RenderOptions{Gain: audio.Gain(c.GainDB)})
	if err != nil {
		return err
	}
	if err := sink.Prepare(ctx, src.Format()); err != nil {
		return err
	}
	report, err := sink.Play(ctx, time.Now().Add(100*time.Millisecond), src)
	if err == nil && report.End != output.Drained {
		err = fmt.Errorf("the play ended early: %s", report.End)
	}
	return err
}
