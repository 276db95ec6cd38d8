package alsa

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Cards returns the cards that can play, by index. A machine without any, or
// without sound in its kernel, yields none.
func Cards() ([]Card, error) {
	nodes, err := filepath.Glob("/dev/snd/controlC*")
	if err != nil {
		return nil, err
	}
	var cards []Card
	var denied error
	for _, node := range nodes {
		var index int
		if _, err := fmt.Sscanf(filepath.Base(node), "controlC%d", &index); err != nil {
			continue
		}
		card, err := describe(index)
		if errors.Is(err, os.ErrPermission) {
			denied = err
		}
		if err == nil && len(card.Devices) > 0 {
			cards = append(cards, card)
		}
	}
	slices.SortFunc(cards, func(a, b Card) int { return a.Index - b.Index })
	if len(cards) == 0 {
		return nil, denied
	}
	return cards, nil
}

func describe(index int) (Card, error) {
	c, err := openControl(index)
	if err != nil {
		return Card{}, err
	}
	defer c.close()
	var info cardInfo
	if err := ioctl(c.fd, reqCardInfo, unsafe.Pointer(&info)); err != nil {
		return Card{}, fmt.Errorf("asking card %d: %w", index, err)
	}
	return Card{
		Index:   int(info.card),
		ID:      text(info.id[:]),
		Driver:  text(info.driver[:]),
		Name:    text(info.name[:]),
		Devices: c.playbackDevices(),
	}, nil
}

// InUse reports whether every subdevice of the playback device is open. It does
// not open the device itself; an absent one is not in use.
func InUse(card, device int) bool {
	c, err := openControl(card)
	if err != nil {
		return false
	}
	defer c.close()
	info := pcmInfo{device: uint32(device)}
	return ioctl(c.fd, reqPCMInfo, unsafe.Pointer(&info)) == nil && info.subdevicesAvail == 0
}

// Holder names the program that has the playback device open, e.g. "aplay
// (812)"; empty when nobody or when the kernel does not say.
func Holder(card, device int) string {
	b, err := os.ReadFile(fmt.Sprintf("/proc/asound/card%d/pcm%dp/sub0/status", card, device))
	if err != nil {
		return ""
	}
	_, rest, ok := strings.Cut(string(b), "owner_pid")
	if !ok {
		return ""
	}
	var pid int
	if _, err := fmt.Sscanf(strings.TrimLeft(rest, " \t:"), "%d", &pid); err != nil || pid <= 0 {
		return ""
	}
	comm, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	if err != nil {
		return fmt.Sprintf("process %d", pid)
	}
	return fmt.Sprintf("%s (%d)", strings.TrimSpace(string(comm)), pid)
}

// errNoCard is what a missing card's error wraps.
const errNoCard = unix.ENODEV
