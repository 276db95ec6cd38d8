package fleetbench

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"gatecast/internal/mqttload"
	"gatecast/internal/wire"
)

// mosquitto measures how many messages of one record each Mosquitto passes to
// one subscriber on this machine, over TLS as we do and without. It stores
// nothing and answers nobody: an upper bound of what a broker alone can do.
func (w *world) mosquitto(ctx context.Context, r *Result) (err error) {
	for _, secure := range []bool{true, false} {
		w.o.Progress(fmt.Sprintf("Mosquitto alone (TLS: %v)", secure))
		rate, err := w.mosquittoRate(ctx, secure, r.RecordBytes)
		if err != nil {
			return fmt.Errorf("measuring mosquitto: %w", err)
		}
		if secure {
			r.Mosquitto = rate
		} else {
			r.MosquittoTCP = rate
		}
	}
	return nil
}

const (
	publishers = 200 // enough to keep it busy; more connections only cost it
	settle     = 2 * time.Second
)

func (w *world) mosquittoRate(ctx context.Context, secure bool, size int) (float64, error) {
	addr, stop, err := w.startMosquitto(ctx, secure)
	if err != nil {
		return 0, err
	}
	defer stop()
	n := max(w.o.Records, publishers)
	var got atomic.Int64
	var last atomic.Int64 // unix nanoseconds of the last arrival
	done := make(chan struct{})
	conf := func() *tls.Config {
		if !secure {
			return nil
		}
		c := w.c.Trust.ControllerClientTLS()
		c.InsecureSkipVerify = true // as the devices of the other runs
		return c
	}
	sub, err := mqttload.Dial(ctx, mqttload.Options{Addr: addr, TLS: conf(), ClientID: "sub", OnMessage: func(string, []byte) {
		last.Store(time.Now().UnixNano())
		if got.Add(1) == int64(n) {
			close(done)
		}
	}})
	if err != nil {
		return 0, err
	}
	defer sub.Drop()
	if err := sub.Subscribe(wire.UpFilter); err != nil {
		return 0, err
	}
	pubs := make([]*mqttload.Client, publishers)
	err = parallel(20, publishers, func(i int) (err error) {
		pubs[i], err = mqttload.Dial(ctx, mqttload.Options{Addr: addr, TLS: conf(), ClientID: fmt.Sprintf("pub-%d", i)})
		return err
	})
	if err != nil {
		return 0, err
	}
	payload := bytes.Repeat([]byte("x"), max(size, 64))
	began := time.Now()
	var wg sync.WaitGroup
	for i, c := range pubs {
		defer c.Drop()
		wg.Go(func() {
			topic := wire.Up(wire.DeviceID(fmt.Sprintf("d%024d", i)), wire.KindRecords)
			for k := i; k < n; k += publishers {
				if c.Publish(topic, payload) != nil {
					return // the count shows it
				}
			}
		})
	}
	wg.Wait()
	// QoS 0 may lose some; the rate is of what arrived.
	for prev := int64(-1); prev != got.Load(); {
		prev = got.Load()
		select {
		case <-done:
			prev = got.Load()
		case <-time.After(settle):
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
	if got.Load() == 0 {
		return 0, errors.New("nothing arrived")
	}
	return float64(got.Load()) / time.Unix(0, last.Load()).Sub(began).Seconds(), nil
}

// startMosquitto runs the program on a free port of this machine.
func (w *world) startMosquitto(ctx context.Context, secure bool) (addr string, stop func(), err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, fmt.Errorf("finding a port: %w", err)
	}
	addr = l.Addr().String()
	if err := l.Close(); err != nil {
		return "", nil, fmt.Errorf("finding a port: %w", err)
	}
	_, port, _ := net.SplitHostPort(addr)
	conf := []string{
		"listener " + port + " 127.0.0.1", "allow_anonymous true", "persistence false", "log_type error",
		"max_queued_messages 0", "max_inflight_messages 0", "set_tcp_nodelay true", "user root",
	}
	trust := filepath.Join(w.dir, "controller", "trust")
	if secure {
		conf = append(conf, "cafile "+filepath.Join(trust, "ca.crt"), "certfile "+filepath.Join(trust, "server.crt"),
			"keyfile "+filepath.Join(trust, "server.key"), "require_certificate true", "tls_version tlsv1.2")
	}
	path := filepath.Join(w.dir, fmt.Sprintf("mosquitto-%v.conf", secure))
	if err := os.WriteFile(path, []byte(strings.Join(conf, "\n")+"\n"), 0o600); err != nil {
		return "", nil, fmt.Errorf("writing its configuration: %w", err)
	}
	var out bytes.Buffer
	cmd := exec.CommandContext(ctx, "mosquitto", "-c", path)
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		return "", nil, fmt.Errorf("starting it: %w", err)
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait() // it is killed
		close(ended)
	}()
	stop = func() {
		_ = cmd.Process.Kill() // may have ended by itself
		<-ended
	}
	for range 200 {
		if c, err := net.Dial("tcp", addr); err == nil {
			_ = c.Close()
			return addr, stop, nil
		}
		select {
		case <-ended:
			return "", nil, fmt.Errorf("it ended by itself: %s", strings.TrimSpace(out.String()))
		case <-time.After(25 * time.Millisecond):
		}
	}
	stop()
	return "", nil, errors.New("it does not listen")
}
