package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"gatecast/controller/doorway"
	"gatecast/controller/fleet"
	"gatecast/controller/trust"
)

// fingerprint prints what people compare with their browser. It only reads,
// and so works beside a running controller.
func (p *program) fingerprint(context.Context) error {
	if w := p.cfg.Web; w.CertFile != "" {
		pair, err := doorway.LoadPair(w.CertFile, w.KeyFile, time.Now())
		if err != nil {
			return err
		}
		fmt.Fprintf(p.out, "网页证书 · certificate of the pages (SHA-256)\n%s\n", doorway.Fingerprint(pair.Leaf))
		return nil
	}
	server, ca, err := trust.Shown(filepath.Join(p.cfg.DataDir, "trust"))
	if errors.Is(err, fs.ErrNotExist) {
		return &fleet.Error{Code: fleet.NotFound, Err: err,
			Text:   fmt.Sprintf("%s 里还没有证书：主控第一次启动时生成", p.cfg.DataDir),
			TextEN: fmt.Sprintf("there is no certificate in %s yet: the controller makes it at its first start", p.cfg.DataDir)}
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(p.out, "网页证书 · certificate of the pages (SHA-256)\n%s\n本机 CA · the controller's own CA (SHA-256)\n%s\n",
		doorway.Fingerprint(server), doorway.Fingerprint(ca))
	return nil
}
