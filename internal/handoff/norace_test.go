//go:build !race

package handoff

const raced = false
