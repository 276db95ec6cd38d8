//go:build !linux

package alsa

import "errors"

var errNoCard = errors.New("this system has no ALSA")

// Cards returns none: only Linux has ALSA.
func Cards() ([]Card, error) { return nil, nil }
