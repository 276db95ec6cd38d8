package main

import (
	"context"
	"errors"
	"fmt"
	"html"
	"io"
	"path/filepath"
	"strings"

	"github.com/boombuler/barcode"
	"github.com/boombuler/barcode/qr"

	"gatecast/controller/fleet"
	"gatecast/controller/trust"
	"gatecast/internal/seal"
)

// rootPaper prints the paper backup again.
func (p *program) rootPaper(context.Context) error {
	a, err := p.authority()
	if err != nil {
		return err
	}
	file := p.keys.rootKey
	if file == "" {
		file = filepath.Join(p.trustDir(), "root.key")
	}
	k, err := readKey(file)
	if err != nil {
		return err
	}
	if err := a.CheckRootKey(k); err != nil {
		return otherRoot(err)
	}
	if err := free(p.keys.paper); err != nil {
		return err
	}
	return p.showPaper(k)
}

func otherRoot(err error) error {
	return &fleet.Error{Code: fleet.Invalid, Err: err,
		Text:   "这把根密钥不是本单位现在用的：可能是轮换之前的，或另一套系统的",
		TextEN: "this is not the root key of this office: it may be from before a rotation, or of another system"}
}

// rootRestore reads the words of the paper and writes the key file.
func (p *program) rootRestore(context.Context) error {
	a, err := p.authority()
	if err != nil {
		return err
	}
	to := p.keys.rootOut
	if to == "" {
		to = filepath.Join(p.trustDir(), "root.key")
	}
	if err := free(to); err != nil {
		return err
	}
	fmt.Fprintln(p.err, "请输入纸上的 14 组字符，空格或换行隔开，末尾按 Ctrl-D · type the 14 words of the paper, then Ctrl-D:")
	text, err := io.ReadAll(io.LimitReader(p.in, 8<<10))
	if err != nil {
		return fmt.Errorf("reading words: %w", err)
	}
	k, err := trust.ParsePaper(string(text))
	if err != nil {
		return sayPaper(err)
	}
	if err := a.CheckRootKey(k); err != nil {
		return otherRoot(err)
	}
	if err := trust.WriteKey(to, k); err != nil {
		return err
	}
	fmt.Fprintf(p.out, "根密钥已写好，用完请移走 · the root key is written; take it away after use: %s\n", to)
	return nil
}

// sayPaper tells a person which word to look at again.
func sayPaper(err error) error {
	var bad *trust.PaperError
	if !errors.As(err, &bad) {
		return err
	}
	if bad.Word == 0 {
		return &fleet.Error{Code: fleet.Invalid, Err: err,
			Text:   "这些字符合不成一把根密钥：应有 14 组，都来自同一张纸；请逐组核对",
			TextEN: "these words do not make a root key: there are 14, all from the same paper; check each of them"}
	}
	return &fleet.Error{Code: fleet.Invalid, Err: err,
		Text:   fmt.Sprintf("第 %d 组“%s”不对，请对照纸上的第 %[1]d 组", bad.Word, bad.Text),
		TextEN: fmt.Sprintf("word %d, %q, is not right: compare it with word %[1]d on the paper", bad.Word, bad.Text)}
}

// showPaper prints the words and the QR code of a root key, and writes the
// sheet to print.
func (p *program) showPaper(k seal.Key) error {
	words := trust.PaperWords(k)
	code, err := qr.Encode(trust.PaperText(words), qr.M, qr.Auto)
	if err != nil {
		return fmt.Errorf("making QR code: %w", err)
	}
	fmt.Fprintf(p.out, "根密钥纸质备份 · paper backup of the root key %s\n\n", k.Public().ID())
	for i, w := range words {
		end := "   "
		if i%4 == 3 || i == len(words)-1 {
			end = "\n"
		}
		fmt.Fprintf(p.out, "%2d. %s%s", i+1, w, end)
	}
	fmt.Fprintf(p.out, "\n%s\n抄写或打印后锁进保险柜；找回： · Copy or print it and lock it away. To read it back: gatecast-controller root restore\n", terminalCode(code))
	if p.keys.paper == "" {
		return nil
	}
	if err := trust.WriteNew(p.keys.paper, sheet(k, words, code)); err != nil {
		return err
	}
	fmt.Fprintf(p.out, "打印用的文件（印完请删除） · sheet to print, then delete: %s\n", p.keys.paper)
	return nil
}

// quiet is the margin that a reader of QR codes needs, in modules.
const quiet = 4

// dark reports whether a module of code is black.
func dark(code barcode.Barcode, x, y int) bool {
	n := code.Bounds().Dx()
	if x < 0 || y < 0 || x >= n || y >= n {
		return false
	}
	grey, _, _, _ := code.At(x, y).RGBA()
	return grey < 0x8000
}

// terminalCode draws code with two modules a character, light on dark as
// terminals are, with its margin.
func terminalCode(code barcode.Barcode) string {
	var b strings.Builder
	n := code.Bounds().Dx()
	for y := -quiet; y < n+quiet; y += 2 {
		for x := -quiet; x < n+quiet; x++ {
			b.WriteString(map[[2]bool]string{{false, false}: "█", {false, true}: "▀", {true, false}: "▄", {true, true}: " "}[[2]bool{dark(code, x, y), dark(code, x, y+1)}])
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// sheet is the page to print.
func sheet(k seal.Key, words []string, code barcode.Barcode) []byte {
	var b strings.Builder
	n := code.Bounds().Dx()
	fmt.Fprintf(&b, `<!DOCTYPE html><html lang="zh-CN"><meta charset="utf-8"><title>Gatecast root %s</title>
<style>body{font:16px sans-serif;margin:2cm}ol{columns:2;font:24px monospace;line-height:1.7}svg{width:8cm}</style>
<h1>门播 Gatecast 根密钥 · root key</h1><p>%s</p><ol>`, html.EscapeString(k.Public().ID()), html.EscapeString(k.Public().String()))
	for _, w := range words {
		fmt.Fprintf(&b, "<li>%s</li>", html.EscapeString(w))
	}
	fmt.Fprintf(&b, `</ol><svg viewBox="%d %d %d %[3]d" shape-rendering="crispEdges"><path d="`, -quiet, -quiet, n+2*quiet)
	for y := range n {
		for x := range n {
			if dark(code, x, y) {
				fmt.Fprintf(&b, "M%d %dh1v1h-1z", x, y)
			}
		}
	}
	b.WriteString(`"/></svg><p>锁进保险柜。持有这张纸的人可以更换全部密钥。找回：gatecast-controller root restore</p>
<p>Lock it away. Whoever has this sheet can replace every key. To read it back: gatecast-controller root restore</p></html>` + "\n")
	return []byte(b.String())
}
