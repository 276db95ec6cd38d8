package main

import "context"

// benches are the measurements behind the figures of the README.
func benches() []command {
	return []command{
		{"agent", "设备程序的内存、处理器和写盘 · memory, processor and disk writes of an agent", runBenchAgent},
		{"fleet", "主控带得动多少设备 · how a controller carries a fleet", runBenchFleet},
	}
}

func runBench(ctx context.Context, std streams, args []string) int {
	return dispatch(ctx, std, "gatecast bench", benches(), args)
}
