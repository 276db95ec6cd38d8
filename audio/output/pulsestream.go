package output

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/jfreymuth/pulse/proto"
)

// pulseStream is a stream on one sink. Frames are frames of the sink, counted
// from the stream's creation.
type pulseStream struct {
	conn     *pulseConn
	sink     uint32 // index of the sink it was created on
	input    uint32 // index as a sink input
	index    uint32
	name     string // for reports
	rate     int
	channels int
	mixer    string
	muted    bool

	sent int64    // frames handed to the server
	now  position // where the server stood when it was last asked

	rest func() // ends the idling of a stream that waits; nil before and after
}

// newPulseStream connects, sets the sink's mixer as o asks, and creates a
// stream in the sink's own rate and channels, so that the server converts
// nothing. The stream plays silence until takeOver.
func newPulseStream(device string, o Options) (_ *pulseStream, err error) {
	c, err := dialPulse(o.Server)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			c.close()
		}
	}()
	info, err := findSink(c, device)
	if err != nil {
		return nil, err
	}
	if o.KeepMixer && o.Most > 0 && sinkPercent(info) > o.Most {
		if info, err = setSink(c, info, o.Most); err != nil {
			return nil, err
		}
	}
	if !o.KeepMixer {
		if info, err = setSink(c, info, o.Volume); err != nil {
			return nil, err
		}
	}
	st := &pulseStream{
		conn: c, sink: info.SinkIndex, name: sinkName(info),
		rate: int(info.Rate), channels: int(info.Channels),
	}
	if st.mixer, st.muted = sinkMixer(info); st.muted {
		return nil, &Fault{Code: Silenced, Device: st.name, Err: errors.New(st.mixer)}
	}
	if err = st.create(info); err != nil {
		return nil, err
	}
	if err = st.cork(false); err != nil {
		return nil, err
	}
	st.idle()
	return st, nil
}

// idle plays silence in its own goroutine until takeOver or close, so that the
// sink is awake and its latency known when a play begins.
func (st *pulseStream) idle() {
	ctx, cancel := context.WithCancel(context.Background())
	var worker sync.WaitGroup
	worker.Go(func() {
		tick := time.NewTicker(pulseTick)
		defer tick.Stop()
		for {
			// What is wrong is found again, and reported, by the play.
			if _, err := st.locate(); err != nil || st.silence() != nil {
				return
			}
			select {
			case <-tick.C:
			case <-st.conn.wake:
			case <-ctx.Done():
				return
			}
		}
	})
	st.rest = func() {
		cancel()
		worker.Wait()
	}
}

// takeOver ends the idling and leaves the running stream to the caller.
func (st *pulseStream) takeOver() {
	if st.rest != nil {
		st.rest()
		st.rest = nil
	}
}

// close ends the idling and the connection.
func (st *pulseStream) close() {
	st.conn.close() // first: the idling may be waiting for an answer
	st.takeOver()
}

// silence keeps a short lead of silence ahead of the server's reading.
func (st *pulseStream) silence() error {
	frame := 2 * st.channels
	lead := int64(framesIn(pulseLead, st.rate))
	return st.send(make([]byte, frame*st.conn.take(frame, int(max(0, st.now.frame+lead-st.sent)))))
}

// send hands whole frames to the server.
func (st *pulseStream) send(data []byte) error {
	if len(data) == 0 {
		return nil
	}
	if err := st.conn.Send(st.index, data); err != nil {
		return &Fault{Code: Gone, Device: st.name, Err: err}
	}
	st.sent += int64(len(data) / (2 * st.channels))
	return nil
}

// dry reports whether the server had read past all that was sent.
func (st *pulseStream) dry() bool { return st.now.frame > st.sent }

func (st *pulseStream) create(info *proto.GetSinkInfoReply) error {
	frame := uint32(2 * st.channels)
	target := uint32(framesIn(pulseBuffer, st.rate)) * frame
	volumes := make(proto.ChannelVolumes, st.channels)
	for i := range volumes {
		volumes[i] = uint32(proto.VolumeNorm)
	}
	req := proto.CreatePlaybackStream{
		SampleSpec:         proto.SampleSpec{Format: proto.FormatInt16LE, Channels: info.Channels, Rate: info.Rate},
		ChannelMap:         info.ChannelMap,
		SinkIndex:          info.SinkIndex,
		BufferMaxLength:    2 * target,
		BufferTargetLength: target,
		// 0 keeps the clock running through an underrun, so that it is heard of
		// and does not shift what follows.
		BufferPrebufferLength: 0,
		BufferMinimumRequest:  target / 8,
		Corked:                true,
		ChannelVolumes:        volumes,
		VolumeSet:             true,
		MutedSet:              true, // the server remembers old mutes by name
		NoMove:                true, // with its sink gone it is killed, and we hear of it
		AdjustLatency:         true,
		Properties:            proto.PropList{"media.name": proto.PropListString("Gatecast"), "media.role": proto.PropListString("announce")},
	}
	var reply proto.CreatePlaybackStreamReply
	if err := st.conn.Request(&req, &reply); err != nil {
		code := Unsupported
		if errors.Is(err, proto.ErrNoSuchEntity) {
			code = Absent
		}
		return &Fault{Code: code, Device: st.name, Err: err}
	}
	st.index, st.input = reply.StreamIndex, reply.SinkInputIndex
	st.conn.mu.Lock()
	st.conn.wanted += int(reply.Missing)
	st.conn.mu.Unlock()
	if reply.SinkIndex != st.sink {
		return &Fault{Code: Moved, Device: reply.SinkName}
	}
	return nil
}

// setSink switches the sink on, sets its volume (0 leaves it) and reads back.
func setSink(c *pulseConn, info *proto.GetSinkInfoReply, percent int) (*proto.GetSinkInfoReply, error) {
	sink := info.SinkIndex
	if info.Mute {
		// Refused, it stays muted; the reading below tells.
		_ = c.Request(&proto.SetSinkMute{SinkIndex: sink}, nil)
	}
	if percent > 0 {
		volumes := make(proto.ChannelVolumes, len(info.ChannelVolumes))
		for i := range volumes {
			volumes[i] = uint32(uint64(proto.VolumeNorm) * uint64(percent) / 100)
		}
		_ = c.Request(&proto.SetSinkVolume{SinkIndex: sink, ChannelVolumes: volumes}, nil)
	}
	return findSink(c, info.SinkName)
}

// check reports whether the stream is still whole and on its sink, asking the
// server.
func (st *pulseStream) check() error {
	if err := st.fault(); err != nil {
		return err
	}
	var input proto.GetSinkInputInfoReply
	if err := st.conn.Request(&proto.GetSinkInputInfo{SinkInputIndex: st.input}, &input); err != nil {
		return &Fault{Code: Gone, Device: st.name, Err: err}
	}
	var sink proto.GetSinkInfoReply
	if err := st.conn.Request(&proto.GetSinkInfo{SinkIndex: input.SinkIndex}, &sink); err != nil {
		return &Fault{Code: Gone, Device: st.name, Err: err}
	}
	if input.SinkIndex != st.sink {
		return &Fault{Code: Moved, Device: sinkName(&sink)}
	}
	mixer, muted := sinkMixer(&sink)
	if input.Muted {
		mixer, muted = mixer+", stream off", true
	}
	if muted || !st.muted {
		st.mixer, st.muted = mixer, muted
	}
	return nil
}

// fault reports what the server said unasked.
func (st *pulseStream) fault() error {
	st.conn.mu.Lock()
	defer st.conn.mu.Unlock()
	switch {
	case st.conn.movedTo != "":
		return &Fault{Code: Moved, Device: st.conn.movedTo}
	case st.conn.killed:
		return &Fault{Code: Gone, Device: st.name, Err: errors.New("sink removed")}
	case st.conn.closed:
		return &Fault{Code: Gone, Device: st.name, Err: errors.New("sound server closed the connection")}
	}
	return nil
}

// breaks returns how often the stream ran dry or its sink was suspended since
// it was created.
func (st *pulseStream) breaks() int {
	st.conn.mu.Lock()
	defer st.conn.mu.Unlock()
	return st.conn.breaks
}

// position is where the stream stood at an instant: frame, the next one that the
// server reads, sounds at at.
type position struct {
	at    time.Time
	frame int64
}

// when returns the instant at which the given frame sounds.
func (p position) when(frame int64, rate int) time.Time {
	return p.at.Add(time.Duration(float64(frame-p.frame) * float64(time.Second) / float64(rate)))
}

// frameAt returns the frame that sounds at t.
func (p position) frameAt(t time.Time, rate int) int64 {
	return p.frame + int64(float64(t.Sub(p.at))*float64(rate)/float64(time.Second))
}

// locate asks the server which frame sounds now. What the server has read of
// us still passes its own buffer and the card's: that is the latency it adds.
func (st *pulseStream) locate() (position, error) {
	before := time.Now()
	sec, usec := before.Unix(), before.Nanosecond()/1000
	var l proto.GetPlaybackLatencyReply
	err := st.conn.Request(&proto.GetPlaybackLatency{
		StreamIndex: st.index, Time: proto.Time{Seconds: uint32(sec), Microseconds: uint32(usec)},
	}, &l)
	after := time.Now()
	if err != nil {
		return position{}, &Fault{Code: Gone, Device: st.name, Err: err}
	}
	at := before.Add(after.Sub(before) / 2)
	// On this machine the server's own stamp is better than the middle: it does
	// not count how long we waited for the processor.
	stamp := time.Unix(int64(l.ReplyTime.Seconds), int64(l.ReplyTime.Microseconds)*1000)
	if late := after.Round(0).Sub(stamp); late >= 0 && late <= after.Sub(before) {
		at = after.Add(-late)
	}
	latency := time.Duration(l.Latency) * time.Microsecond
	st.now = position{at: at.Add(latency), frame: l.ReadIndex / int64(2*st.channels)}
	return st.now, nil
}

// cork holds the stream, or lets it play.
func (st *pulseStream) cork(on bool) error {
	err := st.conn.Request(&proto.CorkPlaybackStream{StreamIndex: st.index, Corked: on}, nil)
	if err != nil {
		return &Fault{Code: Gone, Device: st.name, Err: err}
	}
	return nil
}
