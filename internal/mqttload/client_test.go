package mqttload

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"
)

// broker answers one connection with a codec that is not ours.
func broker(t *testing.T, conn net.Conn, code byte, heard chan<- packets.ControlPacket) {
	t.Helper()
	defer conn.Close()
	for {
		p, err := packets.ReadPacket(conn)
		if err != nil {
			close(heard)
			return
		}
		heard <- p
		var answer packets.ControlPacket
		switch p := p.(type) {
		case *packets.ConnectPacket:
			a := packets.NewControlPacket(packets.Connack).(*packets.ConnackPacket)
			a.ReturnCode = code
			answer = a
		case *packets.SubscribePacket:
			a := packets.NewControlPacket(packets.Suback).(*packets.SubackPacket)
			a.MessageID = p.MessageID
			a.ReturnCodes = []byte{0}
			if strings.HasPrefix(p.Topics[0], "no") {
				a.ReturnCodes[0] = 0x80
			}
			answer = a
		case *packets.PublishPacket:
			answer = p // an echo
		default:
			continue
		}
		if err := answer.Write(conn); err != nil {
			t.Error(err)
		}
	}
}

func listen(t *testing.T, code byte) (addr string, heard chan packets.ControlPacket) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	heard = make(chan packets.ControlPacket, 10)
	go func() {
		if conn, err := l.Accept(); err == nil {
			broker(t, conn, code, heard)
		}
	}()
	return l.Addr().String(), heard
}

func TestClientSpeaksMQTT(t *testing.T) {
	addr, heard := listen(t, 0)
	type arrival struct{ topic, payload string }
	got := make(chan arrival, 1)
	c, err := Dial(t.Context(), Options{
		Addr: addr, ClientID: "gate7", WillTopic: "a/b", Will: []byte("dead"), KeepAlive: 90 * time.Second,
		OnMessage: func(topic string, payload []byte) { got <- arrival{topic, string(payload)} },
	})
	if err != nil {
		t.Fatal(err)
	}
	if p := (<-heard).(*packets.ConnectPacket); p.ClientIdentifier != "gate7" || p.WillTopic != "a/b" || string(p.WillMessage) != "dead" ||
		p.Keepalive != 90 || !p.CleanSession || p.Validate() != packets.Accepted {
		t.Errorf("CONNECT = %s", p)
	}
	if err := c.Subscribe("x/+"); err != nil {
		t.Error(err)
	}
	if p := (<-heard).(*packets.SubscribePacket); p.Topics[0] != "x/+" || p.Qoss[0] != 0 {
		t.Errorf("SUBSCRIBE = %s", p)
	}
	if err := c.Subscribe("no"); !errors.Is(err, ErrRefused) {
		t.Errorf("refused SUBSCRIBE = %v", err)
	}
	<-heard
	for _, size := range []int{0, 1, 127, 128, 16383, 16384, 100_000} {
		payload := strings.Repeat("x", size)
		if err := c.Publish("x/y", []byte(payload)); err != nil {
			t.Fatal(err)
		}
		if p := (<-heard).(*packets.PublishPacket); p.TopicName != "x/y" || string(p.Payload) != payload {
			t.Errorf("PUBLISH of %d bytes arrived as %d", size, len(p.Payload))
		}
		if a := <-got; a != (arrival{"x/y", payload}) {
			t.Errorf("echo of %d bytes came back as %d", size, len(a.payload))
		}
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if _, ok := (<-heard).(*packets.DisconnectPacket); !ok {
		t.Error("no DISCONNECT")
	}
	if err := c.Subscribe("x"); err == nil {
		t.Error("Subscribe after Close succeeded")
	}
}

func TestDialFails(t *testing.T) {
	addr, _ := listen(t, 5)
	if _, err := Dial(t.Context(), Options{Addr: addr, ClientID: "x"}); err == nil || !strings.Contains(err.Error(), "code 5") {
		t.Errorf("Dial = %v, want the code", err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0") // never answers
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := Dial(ctx, Options{Addr: l.Addr().String(), ClientID: "x"}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Dial = %v", err)
	}
}

func FuzzReadPacket(f *testing.F) {
	f.Add(appendPublish(nil, "a/b", []byte("x")))
	f.Add(appendSubscribe(nil, 7, "a/+"))
	f.Add([]byte{0x20, 2, 0, 0})
	f.Add([]byte{0x30, 0xff, 0xff, 0xff, 0xff, 1})
	f.Add([]byte{0x32, 4, 0, 1, 'a', 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		r := bufio.NewReader(bytes.NewReader(data))
		for {
			p, err := readPacket(r, nil)
			if err != nil {
				if !errors.Is(err, io.EOF) && len(data) == 0 {
					t.Errorf("readPacket of nothing = %v", err)
				}
				return
			}
			if p.kind != publish {
				continue
			}
			if topic, payload, err := parsePublish(p); err == nil && len(topic)+len(payload) > len(data) {
				t.Errorf("%d bytes of topic and payload from %d", len(topic)+len(payload), len(data))
			}
		}
	})
}
