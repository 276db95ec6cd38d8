package link

import (
	"errors"
	"time"
)

// Errors that Options.Refused is told, besides those of Plans and Clips.
var (
	// ErrEndless means more data than a packet, message or document may have,
	// or more messages than can be handled.
	ErrEndless = errors.New("more data than allowed")
	// ErrBytes means a document that is not the one its name says.
	ErrBytes = errors.New("not the document that was named")
	// ErrAgain means an answer that was given before.
	ErrAgain = errors.New("answered before")
)

// errHonest marks refusals of what a slow or restarted network brings about.
var errHonest = errors.New("late")

// overtaken is for how long after a newer message an older one may still come
// by an honest way. TCP keeps the order and holds nothing longer than a
// connection lives, so this is for two ways at a time: a controller that was
// restarted, a broker that handed over.
const overtaken = 30 * time.Second

// flood is how many messages that found a full inbox are one incident. An
// honest controller answers; it never sends as many as a device cannot take.
const flood = 1024
