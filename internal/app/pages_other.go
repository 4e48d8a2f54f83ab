//go:build !linux

package app

// freeProgram is for Linux alone.
func freeProgram() {}
