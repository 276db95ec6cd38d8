package mqttload

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"time"
)

// Packet types of MQTT 3.1.1, section 2.2.1.
const (
	connack    = 2
	publish    = 3
	suback     = 9
	disconnect = 14
)

// maxPacket bounds what is read: the broker's own limit and some more.
const maxPacket = 1 << 20

type packet struct {
	kind  byte
	flags byte
	body  []byte
}

// readPacket reads one packet; its body is written into buf where it fits.
func readPacket(r *bufio.Reader, buf []byte) (packet, error) {
	first, err := r.ReadByte()
	if err != nil {
		return packet{}, err
	}
	n := 0
	for shift := 0; ; shift += 7 {
		if shift > 21 {
			return packet{}, errors.New("remaining length of more than four bytes")
		}
		b, err := r.ReadByte()
		if err != nil {
			return packet{}, unexpected(err)
		}
		n |= int(b&0x7f) << shift
		if b < 0x80 {
			break
		}
	}
	if n > maxPacket {
		return packet{}, fmt.Errorf("packet of %d bytes: the limit is %d", n, maxPacket)
	}
	if cap(buf) < n {
		buf = make([]byte, n)
	}
	buf = buf[:n]
	if _, err := io.ReadFull(r, buf); err != nil {
		return packet{}, unexpected(err)
	}
	return packet{first >> 4, first & 0x0f, buf}, nil
}

func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// parsePublish takes a PUBLISH apart; payload lies in p's body.
func parsePublish(p packet) (topic string, payload []byte, err error) {
	if len(p.body) < 2 {
		return "", nil, errors.New("publish packet without a topic")
	}
	n := int(p.body[0])<<8 | int(p.body[1])
	rest := p.body[2:]
	if len(rest) < n {
		return "", nil, errors.New("publish packet ends in its topic")
	}
	topic, rest = string(rest[:n]), rest[n:]
	if p.flags&0x06 != 0 { // QoS above 0: a packet id follows
		if len(rest) < 2 {
			return "", nil, errors.New("publish packet without its id")
		}
		rest = rest[2:]
	}
	return topic, rest, nil
}

func appendConnect(b []byte, o Options) []byte {
	n := 10 + 2 + len(o.ClientID)
	flags := byte(0x02) // clean session
	if o.WillTopic != "" {
		flags |= 0x04
		n += 2 + len(o.WillTopic) + 2 + len(o.Will)
	}
	b = appendLength(append(b, 0x10), n)
	b = appendString(b, "MQTT")
	keep := min(o.KeepAlive/time.Second, 1<<16-1)
	b = append(b, 4, flags, byte(keep>>8), byte(keep))
	b = appendString(b, o.ClientID)
	if o.WillTopic != "" {
		b = appendString(b, o.WillTopic)
		b = appendString(b, string(o.Will))
	}
	return b
}

func appendSubscribe(b []byte, id uint16, filter string) []byte {
	b = appendLength(append(b, 0x82), 2+2+len(filter)+1)
	b = append(b, byte(id>>8), byte(id))
	return append(appendString(b, filter), 0)
}

func appendPublish(b []byte, topic string, payload []byte) []byte {
	b = appendLength(append(b, publish<<4), 2+len(topic)+len(payload))
	return append(appendString(b, topic), payload...)
}

func appendString(b []byte, s string) []byte {
	return append(append(b, byte(len(s)>>8), byte(len(s))), s...)
}

func appendLength(b []byte, n int) []byte {
	for {
		c := byte(n & 0x7f)
		if n >>= 7; n == 0 {
			return append(b, c)
		}
		b = append(b, c|0x80)
	}
}
