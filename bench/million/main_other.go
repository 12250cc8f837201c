//go:build !linux

package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "million: the virtual machine is booted from Linux only: run this there")
	os.Exit(1)
}
