package speech

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"gatecast/controller/fleet"
)

// Options of New; zero fields mean their defaults.
type Options struct {
	// Command is a program by absolute path with its arguments. It reads a text
	// in UTF-8 on standard input and writes a WAV file to standard output. Empty:
	// espeak-ng, where it is installed.
	Command  []string
	Timeout  time.Duration // of one text; 0 means 20 s
	MaxBytes int64         // of one WAV file; 0 means 20 MB, seven minutes at 24 kHz
	// LookPath finds espeak-ng; nil means exec.LookPath.
	LookPath func(string) (string, error)
}

// espeak is what reads where no command is configured. The voice named cmn of
// espeak-ng 1.51 spells characters instead of reading them; this one reads them,
// with their tones.
var espeak = []string{"espeak-ng", "-v", "cmn-latn-pinyin", "-s", "150", "--stdin", "--stdout"}

// atOnce is how many texts are made into sound at a time; others wait.
const atOnce = 2

// Synthesiser reads texts aloud. Use New.
type Synthesiser struct {
	o    Options // immutable after New
	busy chan struct{}
}

// New returns a Synthesiser. It starts nothing and looks for the program with
// every text, so that one installed later is used without a restart.
func New(o Options) *Synthesiser {
	if o.Timeout <= 0 {
		o.Timeout = 20 * time.Second
	}
	if o.MaxBytes <= 0 {
		o.MaxBytes = 20_000_000
	}
	if o.LookPath == nil {
		o.LookPath = exec.LookPath
	}
	return &Synthesiser{o: o, busy: make(chan struct{}, atOnce)}
}

// Ready is nil where texts can be made into sound, and otherwise a *fleet.Error
// that says what is missing.
func (s *Synthesiser) Ready() error {
	_, err := s.program()
	return err
}

// Voice names what reads: the program and, for espeak-ng, its voice.
func (s *Synthesiser) Voice() string {
	if len(s.o.Command) > 0 {
		return filepath.Base(s.o.Command[0])
	}
	return espeak[0] + " " + espeak[2]
}

func (s *Synthesiser) program() ([]string, error) {
	if len(s.o.Command) > 0 {
		return s.o.Command, nil
	}
	path, err := s.o.LookPath(espeak[0])
	if err != nil {
		return nil, &fleet.Error{
			Code:   fleet.Conflict,
			Text:   "这台主机没有语音合成程序。请管理员安装 espeak-ng（apt install espeak-ng），或在配置 speech.command 里指定其他合成命令；也可以直接录音或上传音频。",
			TextEN: "This machine has no speech synthesiser. Have espeak-ng installed (apt install espeak-ng) or another command set as speech.command; or record or upload the audio.",
			Err:    err,
		}
	}
	return append([]string{path}, espeak[1:]...), nil
}

// Speak returns text read aloud, as a WAV file. A text that Check has a blocking
// finding on, and a program that is missing, fails, writes no WAV, too much or
// too slowly, is a *fleet.Error.
func (s *Synthesiser) Speak(ctx context.Context, text string) ([]byte, error) {
	text = strings.TrimSpace(text)
	switch {
	case text == "":
		return nil, &fleet.Error{Code: fleet.Invalid, Text: "请填写朗读文本。", TextEN: "Write the text to be read."}
	case Blocking(Check(text)):
		return nil, &fleet.Error{Code: fleet.Invalid, Text: "朗读文本里还有读不准的内容，请按提示改好再合成。", TextEN: "The text has what cannot be read yet. Change it as advised first."}
	}
	argv, err := s.program()
	if err != nil {
		return nil, err
	}
	if len(s.o.Command) > 0 {
		text = Plain(text)
	} else {
		text = Pinyin(text)
	}
	select {
	case s.busy <- struct{}{}:
		defer func() { <-s.busy }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return s.run(ctx, argv, text)
}

// run runs the program once. No part of text becomes an argument.
func (s *Synthesiser) run(ctx context.Context, argv []string, text string) ([]byte, error) {
	limited, cancel := context.WithTimeout(ctx, s.o.Timeout)
	defer cancel()
	cmd := exec.CommandContext(limited, argv[0], argv[1:]...)
	cmd.Env = []string{"PATH=/usr/local/bin:/usr/bin:/bin", "LC_ALL=C.UTF-8"}
	cmd.Stdin = strings.NewReader(text + "\n")
	out := &bounded{most: s.o.MaxBytes, full: cancel}
	said := &bounded{most: 2000}
	cmd.Stdout, cmd.Stderr = out, said
	cmd.WaitDelay = time.Second
	err := cmd.Run()
	fail := func(zh, en string, err error) error {
		return &fleet.Error{
			Code: fleet.Conflict, Text: "语音合成没有成功：" + zh + "请换一段文本再试，或告诉管理员。", TextEN: "The text could not be made into sound: " + en + " Try another text, or tell the administrator.",
			Err: fmt.Errorf("running %q: %w: %s", argv[0], err, bytes.TrimSpace(said.buf.Bytes())),
		}
	}
	wav := out.buf.Bytes()
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case out.over:
		return nil, fail("声音太长。", "it is too long.", errTooMuch)
	case limited.Err() != nil:
		return nil, fail("合成程序超时。", "the program took too long.", limited.Err())
	case err != nil && !errors.Is(err, exec.ErrWaitDelay):
		return nil, fail("合成程序出错。", "the program failed.", err)
	case len(wav) < 44 || string(wav[:4]) != "RIFF" || string(wav[8:12]) != "WAVE":
		return nil, fail("合成程序没有给出声音。", "the program gave no sound.", errNoWAV)
	}
	return wav, nil
}

var (
	errTooMuch = errors.New("more output than is taken")
	errNoWAV   = errors.New("output is no WAV file")
)

// bounded keeps what fits and ends the program that writes more.
type bounded struct {
	buf  bytes.Buffer
	most int64
	full func() // may be nil: the rest is dropped
	over bool
}

func (b *bounded) Write(p []byte) (int, error) {
	room := b.most - int64(b.buf.Len())
	if int64(len(p)) <= room {
		return b.buf.Write(p)
	}
	_, _ = b.buf.Write(p[:max(0, room)]) // never fails
	if b.full == nil {
		return len(p), nil
	}
	b.over = true
	b.full()
	return 0, io.ErrShortWrite
}
