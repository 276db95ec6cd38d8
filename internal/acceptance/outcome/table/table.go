// Command table prints the outcome rows on its standard input as a Markdown
// table, in Chinese with the argument zh. `make faults` runs it.
package main

import (
	"fmt"
	"os"
	"slices"

	"gatecast/internal/acceptance/outcome"
)

func main() { os.Exit(run(os.Args[1:])) }

func run(args []string) int {
	rows, err := outcome.Read(os.Stdin)
	if err != nil {
		fmt.Fprintln(os.Stderr, "table:", err)
		return 1
	}
	lang := "en"
	if slices.Contains(args, "zh") {
		lang = "zh"
	}
	fmt.Print(outcome.Markdown(rows, lang))
	return 0
}
