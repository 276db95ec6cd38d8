//go:build !linux

package output

// cardMixer knows no cards: only Linux has ALSA.
func cardMixer(string, Options) (text string, muted bool, err error) { return "", false, nil }

func readCardMixer(string) (text string, muted bool, err error) { return "", false, nil }
