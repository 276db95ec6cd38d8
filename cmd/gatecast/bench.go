package main

import "context"

// benches lists what can be measured.
func benches() []command {
	return []command{
		{"fleet", "主控带得动多少设备 · how a controller carries a fleet", runBenchFleet},
	}
}

func runBench(ctx context.Context, std streams, args []string) int {
	return dispatch(ctx, std, "gatecast bench", benches(), args)
}
