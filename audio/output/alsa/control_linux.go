package alsa

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// elemID is struct snd_ctl_elem_id.
type elemID struct {
	numid     uint32
	iface     int32
	device    uint32
	subdevice uint32
	name      [44]byte
	index     uint32
}

const ifaceMixer = 2

// Types of a control element.
const (
	elemBoolean = 1
	elemInteger = 2
)

// Access bits of a control element.
const (
	accessRead     = 1 << 0
	accessWrite    = 1 << 1
	accessInactive = 1 << 8
)

// elemList is struct snd_ctl_elem_list.
type elemList struct {
	offset, space, used, count uint32
	pids                       unsafe.Pointer
	_                          [50]byte
}

// elemInfo is struct snd_ctl_elem_info; value holds min, max and step of an
// integer as C longs.
type elemInfo struct {
	id     elemID
	kind   int32
	access uint32
	count  uint32
	owner  int32
	value  [128]byte
	_      [64]byte
}

func (i *elemInfo) bounds() (low, high long) {
	v := (*[2]long)(unsafe.Pointer(&i.value))
	return v[0], v[1]
}

// elemValue is struct snd_ctl_elem_value. Its union holds a long long, so it
// starts on 8 bytes where the C ABI aligns those (ARM EABI, all 64-bit) and on
// 4 where it does not (i386); Go aligns int64 to 4 on 32-bit ARM, hence the
// explicit padding, without which every volume reads 0 there.
type elemValue struct {
	id       elemID
	indirect uint32
	_        [valuePadding]byte
	value    [128]long
	_        [128]byte
}

// pcmInfo is struct snd_pcm_info.
type pcmInfo struct {
	device    uint32
	subdevice uint32
	stream    int32
	card      int32
	id        [64]byte
	name      [80]byte
	subname   [32]byte

	class, subclass                  int32
	subdevicesCount, subdevicesAvail uint32

	_ [16]byte
	_ [64]byte
}

// cardInfo is struct snd_ctl_card_info.
type cardInfo struct {
	card       int32
	_          int32
	id         [16]byte
	driver     [16]byte
	name       [32]byte
	longname   [80]byte
	_          [16]byte
	mixername  [80]byte
	components [128]byte
}

var (
	reqCardInfo   = number(dirRead, 'U', 0x01, unsafe.Sizeof(cardInfo{}))
	reqElemList   = number(dirRead|dirWrite, 'U', 0x10, unsafe.Sizeof(elemList{}))
	reqElemInfo   = number(dirRead|dirWrite, 'U', 0x11, unsafe.Sizeof(elemInfo{}))
	reqElemRead   = number(dirRead|dirWrite, 'U', 0x12, unsafe.Sizeof(elemValue{}))
	reqElemWrite  = number(dirRead|dirWrite, 'U', 0x13, unsafe.Sizeof(elemValue{}))
	reqNextDevice = number(dirRead, 'U', 0x30, unsafe.Sizeof(int32(0)))
	reqPCMInfo    = number(dirRead|dirWrite, 'U', 0x31, unsafe.Sizeof(pcmInfo{}))
)

// control is an open control device of a card.
type control struct{ fd int }

func openControl(card int) (control, error) {
	path := fmt.Sprintf("/dev/snd/controlC%d", card)
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return control{-1}, fmt.Errorf("opening %s: %w", path, err)
	}
	return control{fd}, nil
}

func (c control) close() { unix.Close(c.fd) }

// elements returns the ids of all mixer elements.
func (c control) elements() ([]elemID, error) {
	var l elemList
	if err := ioctl(c.fd, reqElemList, unsafe.Pointer(&l)); err != nil {
		return nil, fmt.Errorf("counting mixer controls: %w", err)
	}
	if l.count == 0 {
		return nil, nil
	}
	ids := make([]elemID, l.count)
	l = elemList{space: l.count, pids: unsafe.Pointer(&ids[0])}
	if err := ioctl(c.fd, reqElemList, unsafe.Pointer(&l)); err != nil {
		return nil, fmt.Errorf("listing mixer controls: %w", err)
	}
	var mixer []elemID
	for _, id := range ids[:l.used] {
		if id.iface == ifaceMixer {
			mixer = append(mixer, id)
		}
	}
	return mixer, nil
}

// playbackDevices returns the numbers of the card's playback devices.
func (c control) playbackDevices() []int {
	var devices []int
	next := int32(-1)
	for ioctl(c.fd, reqNextDevice, unsafe.Pointer(&next)) == nil && next >= 0 {
		info := pcmInfo{device: uint32(next)} // stream 0 is playback
		if ioctl(c.fd, reqPCMInfo, unsafe.Pointer(&info)) == nil {
			devices = append(devices, int(next))
		}
	}
	return devices
}
