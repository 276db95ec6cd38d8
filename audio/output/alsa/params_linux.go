package alsa

import (
	"fmt"
	"slices"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Indices of struct snd_pcm_hw_params: masks from 0, intervals from 8 on.
const (
	paramAccess = 0
	paramFormat = 1

	firstInterval   = 8
	paramChannels   = 10
	paramRate       = 11
	paramPeriodSize = 13
	paramBufferSize = 17
)

const accessInterleaved = 3 // SNDRV_PCM_ACCESS_RW_INTERLEAVED

// SampleFormat is the kernel's number of a sample format.
type SampleFormat int

// The little-endian formats that playback cards have.
const (
	S16LE  SampleFormat = 2
	S24LE  SampleFormat = 6 // 24 bits low in 4 bytes
	S32LE  SampleFormat = 10
	S243LE SampleFormat = 32 // 3 bytes
)

// preferred orders formats: 16 bits are all a clip has; the others are for
// cards without it.
var preferred = []SampleFormat{S16LE, S32LE, S24LE, S243LE}

// Bytes returns the size of one sample.
func (f SampleFormat) Bytes() int {
	switch f {
	case S16LE:
		return 2
	case S243LE:
		return 3
	}
	return 4
}

// String returns ALSA's name of f.
func (f SampleFormat) String() string {
	switch f {
	case S16LE:
		return "S16_LE"
	case S24LE:
		return "S24_LE"
	case S32LE:
		return "S32_LE"
	case S243LE:
		return "S24_3LE"
	}
	return fmt.Sprintf("format %d", int(f))
}

type mask [8]uint32

// interval is struct snd_interval; flags holds the bits openmin, openmax,
// integer, empty from the lowest up.
type interval struct{ min, max, flags uint32 }

const (
	openMin = 1 << iota
	openMax
	wholeNumber
)

func (i interval) bounds() (low, high uint32) {
	low, high = i.min, i.max
	if i.flags&openMin != 0 {
		low++
	}
	if i.flags&openMax != 0 && high > 0 {
		high--
	}
	return low, high
}

// hwParams is struct snd_pcm_hw_params.
type hwParams struct {
	flags     uint32
	masks     [3]mask
	_         [5]mask
	intervals [12]interval
	_         [9]interval
	rmask     uint32
	cmask     uint32
	info      uint32
	msbits    uint32
	rateNum   uint32
	rateDen   uint32
	fifoSize  ulong
	_         [64]byte
}

// anyParams allows everything the device has.
func anyParams() hwParams {
	var h hwParams
	for i := range h.masks {
		for j := range h.masks[i] {
			h.masks[i][j] = ^uint32(0)
		}
	}
	for i := range h.intervals {
		h.intervals[i].max = ^uint32(0)
	}
	h.rmask = ^uint32(0)
	return h
}

func (h *hwParams) only(param, bit int) {
	h.masks[param] = mask{}
	h.masks[param][bit/32] = 1 << (bit % 32)
	h.rmask = ^uint32(0)
}

func (h *hwParams) has(param, bit int) bool { return h.masks[param][bit/32]&(1<<(bit%32)) != 0 }

func (h *hwParams) limit(param int, low, high uint32) {
	h.intervals[param-firstInterval] = interval{low, high, wholeNumber}
	h.rmask = ^uint32(0)
}

func (h *hwParams) value(param int) int {
	low, _ := h.intervals[param-firstInterval].bounds()
	return int(low)
}

func (h *hwParams) bounds(param int) (low, high uint32) {
	return h.intervals[param-firstInterval].bounds()
}

// swParams is struct snd_pcm_sw_params.
type swParams struct {
	tstampMode       int32
	periodStep       uint32
	sleepMin         uint32
	availMin         ulong
	xferAlign        ulong
	startThreshold   ulong
	stopThreshold    ulong
	silenceThreshold ulong
	silenceSize      ulong
	boundary         ulong
	proto            uint32
	tstampType       uint32
	_                [56]byte
}

var (
	reqRefine   = number(dirRead|dirWrite, 'A', 0x10, unsafe.Sizeof(hwParams{}))
	reqHWParams = number(dirRead|dirWrite, 'A', 0x11, unsafe.Sizeof(hwParams{}))
	reqSWParams = number(dirRead|dirWrite, 'A', 0x13, unsafe.Sizeof(swParams{}))
)

// Config is how a PCM runs.
type Config struct {
	Rate     int
	Channels int
	Format   SampleFormat
	Period   int // frames between interrupts
	Buffer   int // frames of the ring buffer
}

// FrameBytes returns the size of one frame.
func (c Config) FrameBytes() int { return c.Channels * c.Format.Bytes() }

// rates are the ones cards are made for, ascending.
var rates = []int{8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 64000, 88200, 96000, 176400, 192000}

// rateOrder lists the rates to try for a source at want Hz: itself, its
// multiples (cheap and exact to convert), then the nearest above, then below.
func rateOrder(want int) []int {
	order := []int{want}
	for _, r := range rates {
		if r > want && r%want == 0 {
			order = append(order, r)
		}
	}
	for _, r := range rates {
		if r > want {
			order = append(order, r)
		}
	}
	for _, r := range slices.Backward(rates) {
		if r < want {
			order = append(order, r)
		}
	}
	return order
}

// Configure sets the device up for a source of rate Hz and channels channels
// with a ring buffer of about bufferMS milliseconds, and returns what the card
// made of it: the nearest rate it has, more channels where it has no fewer.
// The device is then prepared; it starts by Start alone, and stops by itself
// when it runs dry.
func (p *PCM) Configure(rate, channels, bufferMS int) (Config, error) {
	base := anyParams()
	base.only(paramAccess, accessInterleaved)
	if err := p.refine(&base); err != nil {
		return Config{}, fmt.Errorf("reading what %s can do: %w", p.path, err)
	}
	format := slices.IndexFunc(preferred, func(f SampleFormat) bool { return base.has(paramFormat, int(f)) })
	if format < 0 {
		return Config{}, fmt.Errorf("%s has none of the formats %v: %w", p.path, preferred, unix.EINVAL)
	}
	base.only(paramFormat, int(preferred[format]))
	base, err := p.chooseChannels(base, channels)
	if err != nil {
		return Config{}, err
	}
	if base, err = p.chooseRate(base, rate); err != nil {
		return Config{}, err
	}
	h, err := p.setHardware(base, bufferMS)
	if err != nil {
		return Config{}, fmt.Errorf("setting the parameters of %s: %w", p.path, err)
	}
	p.config = Config{
		Rate: h.value(paramRate), Channels: h.value(paramChannels), Format: preferred[format],
		Period: h.value(paramPeriodSize), Buffer: h.value(paramBufferSize),
	}
	if err := p.setSoftware(); err != nil {
		return Config{}, fmt.Errorf("setting the thresholds of %s: %w", p.path, err)
	}
	return p.config, p.Prepare()
}

func (p *PCM) refine(h *hwParams) error { return ioctl(p.fd, reqRefine, unsafe.Pointer(h)) }

// chooseChannels fixes the source's own count, else the smallest above that
// the card takes (two for mono), else its largest.
func (p *PCM) chooseChannels(base hwParams, channels int) (hwParams, error) {
	low, high := base.bounds(paramChannels)
	order := []int{channels}
	for n := channels + 1; n <= min(int(high), 32); n++ {
		order = append(order, n)
	}
	for n := min(channels-1, int(high)); n >= max(1, int(low)); n-- {
		order = append(order, n)
	}
	for _, n := range order {
		h := base
		h.limit(paramChannels, uint32(n), uint32(n))
		if p.refine(&h) == nil {
			return h, nil
		}
	}
	return base, fmt.Errorf("%s takes %d–%d channels, not %d: %w", p.path, low, high, channels, unix.EINVAL)
}

func (p *PCM) chooseRate(base hwParams, rate int) (hwParams, error) {
	for _, r := range rateOrder(rate) {
		h := base
		h.limit(paramRate, uint32(r), uint32(r))
		if p.refine(&h) == nil {
			return h, nil
		}
	}
	low, high := base.bounds(paramRate)
	return base, fmt.Errorf("%s runs at %d–%d Hz, which has no usual rate near %d: %w", p.path, low, high, rate, unix.EINVAL)
}

// setHardware asks for a ring buffer of bufferMS and an eighth of it as
// period, and for less exact sizes where the card refuses.
func (p *PCM) setHardware(base hwParams, bufferMS int) (hwParams, error) {
	rate := base.value(paramRate)
	buffer := uint32(rate * bufferMS / 1000)
	low, high := base.bounds(paramBufferSize)
	buffer = max(min(buffer, high), low)
	var err error
	for _, try := range []func(*hwParams){
		func(h *hwParams) {
			h.limit(paramBufferSize, buffer/2, buffer)
			h.limit(paramPeriodSize, buffer/12, buffer/6)
		},
		func(h *hwParams) {
			h.limit(paramBufferSize, buffer/4, buffer)
			h.limit(paramPeriodSize, 1, buffer/2)
		},
		func(h *hwParams) { h.limit(paramBufferSize, low, buffer) },
		func(*hwParams) {},
	} {
		h := base
		try(&h)
		if err = ioctl(p.fd, reqHWParams, unsafe.Pointer(&h)); err == nil {
			return h, nil
		}
	}
	return base, err
}

// never is a start threshold that no ring buffer reaches, on 32 bits too.
const never = 1<<31 - 1

func (p *PCM) setSoftware() error {
	s := swParams{
		tstampMode:     1, // time-stamp each pointer update
		tstampType:     1, // by CLOCK_MONOTONIC, which Go's instants follow
		proto:          2<<16 | 12,
		periodStep:     1,
		availMin:       ulong(p.config.Period),
		xferAlign:      1,
		startThreshold: never,
		stopThreshold:  ulong(p.config.Buffer), // running dry stops, and shows as an underrun
	}
	return ioctl(p.fd, reqSWParams, unsafe.Pointer(&s))
}
