//go:build linux

package vmtest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"gatecast/audio"
	"gatecast/audio/output"
	"gatecast/audio/output/alsa"
	"gatecast/internal/guest/errand"
)

func TestMain(m *testing.M) {
	switch {
	case os.Getpid() == 1:
		inGuest()
		return
	case os.Args[0] == spinner:
		//lint:ignore SA5002 it is here to load a core
		for {
		}
	}
	os.Exit(m.Run())
}

// outcome is what the guest tells of a play.
type outcome struct {
	Report  output.Report `json:"report"`
	Late    time.Duration `json:"late"` // start against the planned instant
	Took    time.Duration `json:"took"` // of the whole call after the instant
	Played  bool          `json:"played"`
	Why     string        `json:"why,omitempty"`
	Code    output.Code   `json:"code,omitempty"`
	Error   string        `json:"error,omitempty"`
	Percent int           `json:"percent,omitempty"`
}

// inGuest is process 1 of the virtual machine.
func inGuest() {
	defer errand.PowerOff()
	errand.Prepare()
	if c, ok := waitForCard("USB-Audio", true); ok {
		fmt.Println("usb card is", c.ID)
	}
	cards, err := alsa.Cards()
	tell("cards", map[string]any{"cards": cards, "error": fmt.Sprint(err)})
	for _, c := range cards {
		switch c.Driver {
		case "HDA-Intel":
			guestHDA(c)
		case "Dummy", "Loopback":
			tell(strings.ToLower(c.Driver)+"-play", play(c, output.Options{}, plainSource(swish(50, 48000, 2, 1500*time.Millisecond)), time.Minute))
		}
	}
	for _, c := range cards {
		if c.Driver == "USB-Audio" {
			guestUSB(c)
		}
	}
	tell("end", true)
}

// guestHDA runs the plays on the codec: it is muted when the kernel starts.
func guestHDA(c alsa.Card) {
	tell("hda-muted", play(c, output.Options{KeepMixer: true}, plainSource(swish(1, 48000, 2, time.Second)), time.Minute))
	tell("hda-play", play(c, output.Options{Volume: 100}, plainSource(swish(10, 48000, 2, 4*time.Second)), time.Minute))
	var late []time.Duration
	for range 10 {
		o := play(c, output.Options{}, plainSource(swish(9, 48000, 2, 150*time.Millisecond)), time.Minute)
		late = append(late, o.Late)
	}
	tell("hda-starts", late)
	tell("hda-starts-loaded", startsUnderLoad(c))
	go func() {
		<-time.After(lead + time.Second)
		alsa.MuteMixer(c.Index)
	}()
	tell("hda-muted-midway", play(c, output.Options{}, plainSource(swish(3, 48000, 2, 3*time.Second)), time.Minute))
}

// spinner is the name under which init runs itself to load the processor.
const spinner = "spinner"

// startsUnderLoad returns the start errors of plays beside two busy processes.
func startsUnderLoad(c alsa.Card) (late []time.Duration) {
	for range 2 {
		busy := exec.Cmd{Path: "/init", Args: []string{spinner}}
		if err := busy.Start(); err != nil {
			fmt.Println("loading the processor:", err)
			return nil
		}
		defer func() {
			_ = busy.Process.Kill()
			_ = busy.Wait()
		}()
	}
	for range 5 {
		late = append(late, play(c, output.Options{}, plainSource(swish(9, 48000, 2, 150*time.Millisecond)), time.Minute).Late)
	}
	return late
}

// guestUSB runs the plays on the card that gets unplugged.
func guestUSB(c alsa.Card) {
	speech := swish(2, 24000, 1, time.Second)
	set := play(c, output.Options{Volume: 60}, plainSource(swish(9, 48000, 2, 200*time.Millisecond)), time.Minute)
	if m, err := alsa.ReadMixer(c.Index); err == nil && len(m.Controls) > 0 {
		set.Percent = m.Controls[0].Percent
	}
	tell("usb-volume", set)
	tell("usb-play", play(c, output.Options{Volume: 100}, plainSource(swish(20, 24000, 1, 4*time.Second)), time.Minute))

	held, err := alsa.OpenPCM(c.Index, c.Devices[0])
	if err != nil {
		fmt.Println("holding the card:", err)
		return
	}
	tell("usb-busy", play(c, output.Options{}, plainSource(speech), time.Minute))
	held.Close()

	stalls := plainSource(swish(4, 48000, 2, 3*time.Second))
	stalls.stallAt, stalls.stall = 96000, 1500*time.Millisecond
	tell("usb-underrun", play(c, output.Options{}, stalls, time.Minute))
	tell("usb-cancelled", play(c, output.Options{}, plainSource(swish(6, 48000, 2, 8*time.Second)), lead+time.Second))

	long := plainSource(swish(7, 48000, 2, time.Minute))
	go func() { // by the guest's clock, which is not the host's
		<-time.After(lead + 2*time.Second)
		say(message{Name: "unplug", QMP: json.RawMessage(`{"execute":"device_del","arguments":{"id":"ua"}}`)})
	}()
	tell("usb-unplugged", play(c, output.Options{}, long, 2*time.Minute))
	tell("usb-absent", play(c, output.Options{}, plainSource(speech), time.Minute))
	waitForCard("USB-Audio", false)
	say(message{Name: "replug", QMP: json.RawMessage(`{"execute":"device_add","arguments":{"driver":"usb-audio","id":"ua","audiodev":"usb2"}}`)})
	waitForCard("USB-Audio", true)
	tell("usb-replugged", play(c, output.Options{Volume: 100}, plainSource(swish(80, 48000, 2, 1500*time.Millisecond)), time.Minute))
}

// lead is how far ahead each play is planned.
const lead = 1200 * time.Millisecond

// play plays src on the card by its id, as an agent would.
func play(c alsa.Card, o output.Options, src audio.Source, limit time.Duration) outcome {
	k, err := output.Open(output.ALSA, c.Address(c.Devices[0]), o)
	if err != nil {
		return outcome{Error: err.Error()}
	}
	defer k.Close()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	at := time.Now().Add(lead)
	r, err := k.Play(ctx, at, src)
	out := outcome{Report: r, Took: time.Since(at)}
	if !r.StartedAt.IsZero() {
		out.Late = r.StartedAt.Sub(at)
	}
	out.Played, out.Why = output.Played(r, src.Frames().Duration(src.Format().Rate))
	if err != nil {
		out.Error = err.Error()
	}
	if f, ok := errors.AsType[*output.Fault](err); ok {
		out.Code = f.Code
	}
	return out
}

// waitForCard waits until a card of the driver is there, or is not.
func waitForCard(driver string, there bool) (alsa.Card, bool) {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for range 300 {
		found := false
		cards, _ := alsa.Cards()
		for _, c := range cards {
			if c.Driver == driver {
				if found = true; there {
					return c, true
				}
			}
		}
		if !there && !found {
			return alsa.Card{}, true
		}
		<-tick.C
	}
	fmt.Println("card", driver, "there:", there, "waited in vain")
	return alsa.Card{}, false
}

func tell(name string, result any) {
	b, err := json.Marshal(result)
	if err != nil {
		b = []byte(`"` + err.Error() + `"`)
	}
	say(message{Name: name, Result: b})
}

func say(m message) {
	b, err := json.Marshal(m)
	if err != nil {
		return
	}
	fmt.Println(prefix + string(b))
}

// source plays a PCM, and may stall once on the way.
type source struct {
	pcm     *audio.PCM
	pos     int
	stallAt int // sample
	stall   time.Duration
}

func plainSource(p *audio.PCM) *source { return &source{pcm: p} }

func (s *source) Format() audio.Format { return s.pcm.Format }
func (s *source) Frames() audio.Frames { return s.pcm.Frames() }
func (s *source) Read(dst []float32) (int, error) {
	if s.stall > 0 && s.pos >= s.stallAt {
		<-time.After(s.stall)
		s.stall = 0
	}
	if s.pos >= len(s.pcm.Samples) {
		return 0, io.EOF
	}
	n := copy(dst[:len(dst)/s.pcm.Channels*s.pcm.Channels], s.pcm.Samples[s.pos:])
	s.pos += n
	return n, nil
}
