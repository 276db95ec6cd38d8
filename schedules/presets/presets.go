// Package presets holds the programmes that Gatecast ships, as YAML. It depends
// on nothing, so that anybody may read them; schedules parses them. The holiday
// table beside them is embedded by schedules itself.
package presets

import _ "embed"

//go:embed default.yaml
var defaultYAML string

// DefaultName is what people call the default programme on a command line.
const DefaultName = "default"

// Default returns the default programme: the morning, noon and evening slots of
// gates and the two slots of village loudspeakers. The result is the caller's.
func Default() []byte { return []byte(defaultYAML) }
