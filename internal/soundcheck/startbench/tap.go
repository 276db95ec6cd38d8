package startbench

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/jfreymuth/pulse/proto"

	"gatecast/audio"
	"gatecast/internal/soundcheck"
)

// tap listens to a sink's monitor and knows at which instant each sample
// sounded, by the server's own account: the formula of pa_stream_get_latency
// for recordings of a monitor.
type tap struct {
	client *proto.Client
	conn   net.Conn
	stream uint32

	mu      sync.Mutex
	samples []float32 // mono, from the first on
	marks   []mark
}

// mark is one answer of the server: the instant at which sample 0 would have
// sounded, asked for when have samples had arrived.
type mark struct {
	zero time.Time
	have int
}

func listen(server *soundcheck.Server, sink string) (*tap, error) {
	client, conn, err := proto.Connect(server.Address)
	if err != nil {
		return nil, fmt.Errorf("listening to %q: %w", sink, err)
	}
	t := &tap{client: client, conn: conn}
	client.Callback = func(msg any) {
		if d, ok := msg.(*proto.DataPacket); ok {
			t.keep(d.Data)
		}
	}
	client.SetTimeout(20 * time.Second) // a loaded machine answers late
	if err := client.Request(&proto.SetClientName{Props: proto.PropList{}}, &proto.SetClientNameReply{}); err != nil {
		conn.Close()
		return nil, fmt.Errorf("listening to %q: %w", sink, err)
	}
	var reply proto.CreateRecordStreamReply
	err = client.Request(&proto.CreateRecordStream{
		SampleSpec:         proto.SampleSpec{Format: proto.FormatInt16LE, Channels: 1, Rate: soundcheck.Rate},
		ChannelMap:         proto.ChannelMap{proto.ChannelMono},
		SourceIndex:        proto.Undefined,
		SourceName:         sink + ".monitor",
		BufferMaxLength:    proto.Undefined,
		BufferFragSize:     uint32(2 * soundcheck.Rate * block / time.Second),
		AdjustLatency:      true,
		DirectOnInputIndex: proto.Undefined,
		ChannelVolumes:     proto.ChannelVolumes{uint32(proto.VolumeNorm)},
		VolumeSet:          true,
		MutedSet:           true,
	}, &reply)
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("listening to %q: %w", sink, err)
	}
	t.stream = reply.StreamIndex
	return t, nil
}

func (t *tap) close() { t.conn.Close() }

func (t *tap) keep(data []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := 0; i+1 < len(data); i += 2 {
		t.samples = append(t.samples, float32(int16(binary.LittleEndian.Uint16(data[i:])))/32768)
	}
}

// ask takes one mark.
func (t *tap) ask() error {
	var l proto.GetRecordLatencyReply
	before := time.Now()
	if err := t.client.Request(&proto.GetRecordLatency{StreamIndex: t.stream}, &l); err != nil {
		return fmt.Errorf("asking for the recording's latency: %w", err)
	}
	after := time.Now()
	stamp := time.Unix(int64(l.ReplyTime.Seconds), int64(l.ReplyTime.Microseconds)*1000)
	late := after.Round(0).Sub(stamp)
	if late < 0 || late > after.Sub(before) {
		return nil // the wall clock was set meanwhile
	}
	// What sounds now is as far behind the sample written last as the source's
	// latency is ahead of the sink's.
	at := span(int(l.WriteIndex/2)) + time.Duration(l.Latency)*time.Microsecond - time.Duration(l.MonitorLatency)*time.Microsecond
	t.mu.Lock()
	defer t.mu.Unlock()
	t.marks = append(t.marks, mark{after.Add(-late - at), len(t.samples)})
	return nil
}

func span(samples int) time.Duration {
	return time.Duration(float64(samples) * float64(time.Second) / soundcheck.Rate)
}

// errNoMarks is returned when the server told nothing around a sample.
var errNoMarks = errors.New("no account of when the samples sounded")

// zero returns the instant of sample 0 as seen around the given instant: the
// median of the marks within five seconds, so that one late answer does not
// count.
func (t *tap) zero(around time.Time) (time.Time, error) {
	var near []time.Time
	for _, m := range t.marks {
		if m.zero.Add(span(m.have)).Sub(around).Abs() < 5*time.Second {
			near = append(near, m.zero)
		}
	}
	if len(near) == 0 {
		return time.Time{}, errNoMarks
	}
	slices.SortFunc(near, time.Time.Compare)
	return near[len(near)/2], nil
}

// find returns when clip sounded, looking from a little before the planned
// instant on. ok is false when it is not there.
func (t *tap) find(clip *audio.PCM, planned time.Time, until time.Duration) (at time.Time, ok bool, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	zero, err := t.zero(planned)
	if err != nil {
		return time.Time{}, false, err
	}
	const early = 60 * time.Millisecond
	from := max(0, int(planned.Add(-early).Sub(zero)*soundcheck.Rate/time.Second))
	to := min(len(t.samples), from+int((early+until)*soundcheck.Rate/time.Second)+len(clip.Samples))
	if from >= to {
		return time.Time{}, false, nil
	}
	window := &audio.PCM{Format: clip.Format, Samples: t.samples[from:to]}
	m, err := soundcheck.Compare(clip, window)
	if err != nil || m.Correlation < 0.7 {
		return time.Time{}, false, nil // silence, or another's sound
	}
	return zero.Add(span(from)).Add(m.Start), true, nil
}
