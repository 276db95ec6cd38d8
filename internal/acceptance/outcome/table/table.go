// Command table prints the outcome rows on its standard input as a Markdown
// table, in Chinese with the argument zh. With the argument attacks the rows
// are attacks. `make faults` and `make attacks` run it.
package main

import (
	"fmt"
	"os"
	"slices"

	"gatecast/internal/acceptance/outcome"
)

func main() { os.Exit(run(os.Args[1:])) }

func run(args []string) int {
	lang := "en"
	if slices.Contains(args, "zh") {
		lang = "zh"
	}
	if slices.Contains(args, "attacks") {
		rows, err := outcome.ReadAttacks(os.Stdin)
		if err != nil {
			fmt.Fprintln(os.Stderr, "table:", err)
			return 1
		}
		fmt.Print(outcome.MarkdownAttacks(rows, lang))
		return 0
	}
	rows, err := outcome.Read(os.Stdin)
	if err != nil {
		fmt.Fprintln(os.Stderr, "table:", err)
		return 1
	}
	fmt.Print(outcome.Markdown(rows, lang))
	return 0
}
