package fleet

import "time"

// Part is an upload that arrives piece by piece.
type Part struct {
	ID      string    `json:"id"`
	Owner   string    `json:"owner"` // login
	File    string    `json:"file"`  // its name, as the sender has it
	Mark    string    `json:"mark"`  // what else tells two files apart: when it was changed
	Size    int64     `json:"size"`  // announced, in bytes
	Have    int64     `json:"-"`     // arrived
	Touched time.Time `json:"-"`     // when the last piece came
}
