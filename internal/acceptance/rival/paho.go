package main

import (
	"path/filepath"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
)

// pahoBox publishes with QoS 1 in a persistent session and keeps what is not
// acknowledged in paho's FileStore, as its documentation advises for messages
// that must survive a restart.
type pahoBox struct {
	client mqtt.Client
	topic  string
}

func newPaho(dir, address string) *pahoBox {
	o := mqtt.NewClientOptions().AddBroker("tcp://" + address).SetClientID("gate-1").
		SetCleanSession(false).
		SetStore(mqtt.NewFileStore(filepath.Join(dir, "outbox"))).
		SetAutoReconnect(true).SetConnectRetry(true).
		// A thirtieth of the default and less, as everything in this test.
		SetConnectRetryInterval(time.Second).SetMaxReconnectInterval(time.Second)
	c := mqtt.NewClient(o)
	c.Connect() // goes on trying
	return &pahoBox{client: c, topic: "rivals/gate-1"}
}

// put returns when the library has taken the event; its token would complete
// when the broker has it, which may be hours.
func (b *pahoBox) put(event string) error {
	b.client.Publish(b.topic, 1, false, event)
	return nil
}
