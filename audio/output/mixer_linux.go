package output

import "gatecast/audio/output/alsa"

// cardMixer sets, as o asks, and reads the mixer of the card that an ALSA
// device name stands for. A name that does not say which card it means has no
// mixer, which is no error.
func cardMixer(device string, o Options) (text string, muted bool, err error) {
	card, ok := cardOf(device)
	if !ok {
		return "", false, nil
	}
	m, err := adjustMixer(card, o)
	if err != nil {
		return "", false, alsaFault(device, err)
	}
	return m.String(), m.Muted(), nil
}

func readCardMixer(device string) (text string, muted bool, err error) {
	return cardMixer(device, Options{KeepMixer: true})
}

func cardOf(device string) (index int, ok bool) {
	_, id, _, err := alsa.ParseAddress(device)
	if err != nil {
		return 0, false
	}
	card, err := alsa.Find(id)
	return card.Index, err == nil
}
