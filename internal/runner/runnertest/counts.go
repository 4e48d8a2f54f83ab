package runnertest

import (
	"sync"

	"llave/internal/runner"
)

// Counts is a runner.Watcher that counts by name: a turn by its result, a promise by its result and, after a slash, its kind.
type Counts struct {
	mu sync.Mutex
	n  map[string]int
}

// Turned counts a turn.
func (c *Counts) Turned(t runner.Turned) { c.add(t.Result) }

// Tried counts a promise.
func (c *Counts) Tried(t runner.Tried) { c.add(t.Result); c.add(t.Result + "/" + string(t.Kind)) }

// FlowFault counts "flow_fault".
func (c *Counts) FlowFault() { c.add("flow_fault") }

func (c *Counts) add(what string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n == nil {
		c.n = map[string]int{}
	}
	c.n[what]++
}

// Of is how often something was counted.
func (c *Counts) Of(what string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.n[what]
}
