// Package errand is what a host asks of a guest that runs guest/init: to run a
// program, to start one and to end it, to set the clock. Requests and answers
// are lines of JSON on the guest's second serial port, one answer for each
// request, in order.
//
// Serve is the guest's side, Host of package guest the other. It imports
// nothing of ours, so that the guest's init stays small.
package errand

// Request asks for one thing; of its kinds exactly one is set.
type Request struct {
	// Run runs a program to its end; the answer has its output and status.
	Run []string `json:"run,omitempty"`
	// Start starts a program under Name; each line that it writes goes to the
	// console behind "Name| ".
	Start []string `json:"start,omitempty"`
	// Stop sends the signal to the program Name and waits for its end.
	Stop int `json:"stop,omitempty"`
	// ClockUS sets the wall clock to microseconds since 1970.
	ClockUS int64 `json:"clock_us,omitempty"`
	// PowerOff flushes the disks and turns the machine off. There is no answer.
	PowerOff bool `json:"power_off,omitempty"`

	Name string   `json:"name,omitempty"` // of a program that is started or stopped
	Env  []string `json:"env,omitempty"`  // beside PATH, of a program that is run or started
	Nice int      `json:"nice,omitempty"` // of a program that is started

	// Synchronised marks the kernel as disciplined by a time service when the
	// clock is set; otherwise it is marked as not.
	Synchronised bool `json:"synchronised,omitempty"`
}

// Answer tells what came of a request.
type Answer struct {
	Error  string `json:"error,omitempty"`  // it could not be done
	Output []byte `json:"output,omitempty"` // of Run, both streams
	Status int    `json:"status,omitempty"` // of Run and Stop, -1 after a signal
}

// Ready is the line of the console that says that the guest takes requests.
const Ready = "guest is ready"
