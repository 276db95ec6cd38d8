//go:build !386

package alsa

const valuePadding = 4
