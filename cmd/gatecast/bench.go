package main

import "context"

// benches are the measurements behind the figures of the README.
func benches() []command {
	return []command{
		{"agent", "设备程序的内存、处理器和写盘 · memory, processor and disk writes of an agent", runBenchAgent},
		{"start", "起播误差，与 mpg123 和 aplay 比较 · how exactly a play begins, beside mpg123 and aplay", runBenchStart},
		{"fleet", "主控带得动多少设备 · how a controller carries a fleet", runBenchFleet},
	}
}

func runBench(ctx context.Context, std streams, args []string) int {
	return dispatch(ctx, std, "gatecast bench", benches(), args)
}
