package alsa

const valuePadding = 0
