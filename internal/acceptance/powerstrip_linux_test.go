package acceptance

import (
	"os/exec"
	"sync"
	"syscall"
	"testing"
	"time"

	"gatecast/internal/lossyfs"
)

// contender is one way to play by a timetable and to tell the office of it.
type contender struct {
	name, nameZH string
	disk         *lossyfs.Disk // that loses its power
	loss         lossyfs.Loss  // what all cuts took
	dir          string        // on the disk
	heard        *loudspeaker  // nil for ours, which records what sounds
	box          *machine      // nil for those who do not look at it
	program      []string      // runs while there is power; nil for cron
	play, upload []string      // started by cron
	env          []string      // of what runs; nil means the test's
	told         func() claims // what the office has been told
	log          *logbook
}

// powerStrip is what everything is plugged into: off kills all that runs, with
// its children, at one instant.
type powerStrip struct {
	t *testing.T

	mu      sync.Mutex
	live    bool
	went    []time.Time // when the power went, in order
	running map[*exec.Cmd]struct{}
	wg      sync.WaitGroup
}

func newPowerStrip(t *testing.T) *powerStrip {
	p := &powerStrip{t: t, running: map[*exec.Cmd]struct{}{}}
	t.Cleanup(p.off)
	return p
}

// on gives power: every program starts, and starts again when it ends.
func (p *powerStrip) on(all []*contender) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.live = true
	for _, c := range all {
		if c.program == nil {
			continue
		}
		p.wg.Go(func() {
			for {
				done := p.start(c, c.program)
				if done == nil {
					return
				}
				if <-done; p.alive() {
					_, _ = c.log.Write([]byte("(it ended by itself and is started again)\n"))
					<-time.After(500 * time.Millisecond)
				}
			}
		})
	}
}

func (p *powerStrip) alive() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.live
}

// run starts what cron starts, unless it is dark.
func (p *powerStrip) run(c *contender, line []string) { p.start(c, line) }

// start returns nil when it is dark.
func (p *powerStrip) start(c *contender, line []string) <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.live {
		return nil
	}
	cmd := exec.Command(line[0], line[1:]...)
	cmd.Stdout, cmd.Stderr, cmd.Env = c.log, c.log, c.env
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.WaitDelay = time.Second
	if err := cmd.Start(); err != nil {
		p.t.Error(err)
		return nil
	}
	p.running[cmd] = struct{}{}
	done := make(chan struct{})
	p.wg.Go(func() {
		_ = cmd.Wait()
		p.mu.Lock()
		delete(p.running, cmd)
		p.mu.Unlock()
		close(done)
	})
	return done
}

// off takes the power and returns when nothing runs any more.
func (p *powerStrip) off() {
	p.mu.Lock()
	p.live = false
	for cmd := range p.running {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	}
	p.went = append(p.went, time.Now())
	p.mu.Unlock()
	p.wg.Wait()
}
